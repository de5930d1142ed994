#!/bin/sh
# revenue.sh DAY: sums the sales of a day and writes the sum into Postgres, unless a later claim has written already.
#
# How to reach Postgres is said to psql: PGHOST, PGUSER, PGDATABASE, PGPASSFILE and the like.
set -eu
input=${SALES_INPUT:-../sales/sales.csv}
revenue=$(awk -F, -v day="$1" '$1 == day { sum += $4 * $5 } END { printf "%.2f", sum }' "$input")
psql --no-psqlrc --quiet --output /dev/null --set ON_ERROR_STOP=1 --set pipeline="$TICKWARD_PIPELINE" \
    --set fence="$TICKWARD_FENCE" --set day="$1" --set revenue="$revenue" --file write.sql
