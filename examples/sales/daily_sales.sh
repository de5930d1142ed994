#!/bin/sh
# Sums the sales of one day by region: sales.csv -> $SALES_OUT/sales-DAY.csv
#
# Ends with 0: done; 2: done, but some lines were rejected; 3: the input is unusable; 4: no sales of that day yet.
# Running it twice gives the same file: it is written beside its place and then renamed, so a reader never sees half.
set -eu

day=$1
out=${SALES_OUT:-reports}
input=${SALES_INPUT:-sales.csv}
header='date,region,product,quantity,unit_price'

if [ "$(head -n 1 "$input" 2>/dev/null)" != "$header" ]; then
    echo "$input is missing, or its first line is not: $header" >&2
    exit 3
fi

mkdir -p "$out"
work=$(mktemp -d "$out/.sales-$day.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

awk -F, -v day="$day" -v rejects="$work/rejects" '
    NR == 1 || $1 != day { next }
    NF != 5 || $4 !~ /^[0-9]+$/ || $5 !~ /^[0-9]+(\.[0-9]+)?$/ { print > rejects; next }
    { quantity[$2] += $4; revenue[$2] += $4 * $5 }
    END { for (region in quantity) printf "%s,%d,%.2f\n", region, quantity[region], revenue[region] }
' "$input" | sort > "$work/regions"

if [ ! -s "$work/regions" ] && [ ! -s "$work/rejects" ]; then
    echo "no sales of $day yet" >&2
    exit 4
fi

{ echo 'region,quantity,revenue'; cat "$work/regions"; } > "$work/report"
mv "$work/report" "$out/sales-$day.csv"
echo "sales of $day: $(wc -l < "$work/regions") regions, in $out/sales-$day.csv"

if [ -s "$work/rejects" ]; then
    mv "$work/rejects" "$out/sales-$day.rejects.csv"
    echo "rejected: $(wc -l < "$out/sales-$day.rejects.csv") lines, in $out/sales-$day.rejects.csv" >&2
    exit 2
fi
rm -f "$out/sales-$day.rejects.csv"
