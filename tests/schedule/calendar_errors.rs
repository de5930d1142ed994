//! What is said about OnCalendar expressions and `at` that are wrong, in the form of `errors`.

/// text | the piece that is to blame | message | part of the advice
const CASES: &str = "
*:*/15 | * | minute `*` takes no step | write `0/15`
*-*/2-1 | * | month `*` takes no step | write `1/2`
*:*:0.5 | 0.5 | second `0.5` has a fraction | whole seconds
*:*:0/0.5 | 0.5 | second `0.5` has a fraction | whole seconds
24:00 | 24 | hour `24` is out of range | use 0 to 23
10:60 | 60 | minute `60` is out of range | use 0 to 59
10:00:60 | 60 | second `60` is out of range | use 0 to 59
1:2:3:4 | 3:4 | second `3:4` is not understood | use 0 to 59
*-13-1 | 13 | month `13` is out of range | use 1 to 12
*-jan-1 | jan | month `jan` is not understood | use 1 to 12
*-*-32 | 32 | day `32` is out of range | use 1 to 31
*-*~29 | 29 | day from the end `29` is out of range | every month has 28
1969-1-1 | 1969 | year `1969` is out of range | use 1970 to 2199
2200-1-1 | 2200 | year `2200` is out of range | use 1970 to 2199
1-2-3-4 | 2-3 | month `2-3` is not understood | two dots, as in `1..5`
9-17:00 | 9-17 | hour `9-17` is not understood | two dots, as in `1..5`
22..6:00 | 22..6 | hour range `22..6` runs backwards | use `22..23,0..6`
*-*~3..1 | 3..1 | day from the end range `3..1` runs backwards | use `1..3`
2030..2026-1-1 | 2030..2026 | year range `2030..2026` runs backwards | use `2026..2030`
*:0/0 | 0 | minute step `0` leads nowhere | whole number from 1
*:0/x | x | minute step `x` is not a number | whole number from 1
*:0/15/3 | 15/3 | minute step `15/3` is not a number | whole number from 1
*:30/30 | 30 | minute step `30` leads past the end | at most 29 from `30`
*:0/90 | 90 | minute step `90` leads past the end | at most 59 from `0`
*-*~3/3 | 3 | day from the end step `3` leads past the end | at most 2 from `3`
*:1,,2 | | minute has an empty entry | use 0 to 59
:5 | | hour has an empty entry | use 0 to 23
10: | | minute has an empty entry | use 0 to 59
1,*:00 | * | hour `*` is not understood | stands alone
Mno..Fri 06:00 | Mno | weekday `Mno` is not known | use mon to sun
Thurs 06:00 | Thurs | weekday `Thurs` is not known | use mon to sun
Mon.. 06:00 | | weekday `` is not known | use mon to sun
Fri..Mon 06:00 | Fri..Mon | weekday range `Fri..Mon` runs backwards | use `Fri..Sun,Mon`
Mon *-*-* 6 | 6 | `6` does not belong here | weekdays, date, time and zone
Mon 6 | 6 | `6` is neither a date nor a time | weekdays, date, time and zone
06:00 Mon | Mon | `Mon` does not belong here | weekdays, date, time and zone
06:00 *-*-* | *-*-* | `*-*-*` does not belong here | weekdays, date, time and zone
Mon 1 2 3 | 1 | `1` is neither a date nor a time | weekdays, date, time and zone
*-1-1 UTC UTC | *-1-1 UTC UTC | a crontab line has five fields, found 3 | minute, hour, day of month
06:00 Berlin | Berlin | time zone `Berlin` is not known | `Europe/Berlin`
06:00 Z | Z | time zone `Z` is not known | IANA
daily 05:00 | 05:00 | `05:00` does not belong after `daily` | `*-*-* 05:00`
2026-12-24T18:00 | 2026-12-24T18:00 | `2026-12-24T18:00` is not understood | a space between date and time
*-02-30 | *-02-30 | `*-02-30` never comes | february has at most 29 days
*-4,6-31 12:00 | *-4,6-31 12:00 | `*-4,6-31 12:00` never comes | have 30
2027-02-29 | 2027-02-29 | `2027-02-29` never comes | february
Mon 2026-11-22 6:00 UTC | Mon 2026-11-22 6:00 | `Mon 2026-11-22 6:00` never comes | one weekday
2026-03-29 02:30 Europe/Berlin | 2026-03-29 02:30 | `2026-03-29 02:30` never comes in Europe/Berlin | set forward
at | at | `at` needs a date and a time | at 2026-12-01T09:00Z
at 2026-12-01 | 2026-12-01 | `2026-12-01` has no time | at 2026-12-01T09:00Z
at 09:00 | 09:00 | `09:00` has no time | at 2026-12-01T09:00Z
at 2026-02-30T09:00Z | 2026-02-30 | date `2026-02-30` does not exist | year, month, day
at 2026-13-01T09:00Z | 2026-13-01 | date `2026-13-01` does not exist | year, month, day
at 1.12.2026 09:00 | 1.12.2026 | date `1.12.2026` is not understood | at 2026-12-01T09:00Z
at 2026-12-01 25:00 | 25:00 | time `25:00` does not exist | 00:00 to 23:59
at 2026-12-01T9am | 9am | time `9am` is not understood | at 2026-12-01T09:00Z
at 2026-12-01T09:00:00.5Z | 09:00:00.5 | time `09:00:00.5` has a fraction of a second | whole seconds
at 2026-12-01T09:00+99:00 | +99:00 | offset `+99:00` is not understood | +02:00
at 2026-12-01T09:00+24:00 | +24:00 | offset `+24:00` is not understood | +02:00
at 2026-12-01T09:00+02:60 | +02:60 | offset `+02:60` is not understood | +02:00
at 2026-12-01T09:00Zulu | Zulu | offset `Zulu` is not understood | +02:00
at 2026-12-01T09:00Z Europe/Berlin | Europe/Berlin | `Europe/Berlin` does not belong here | at 2026-12-01T09:00Z
at 2026-12-01 09:00 Berlin | Berlin | time zone `Berlin` is not known | `Europe/Berlin`
at 1969-12-31T23:59Z | 1969-12-31 | date `1969-12-31` is out of range | 1970 to 2199
at 2199-12-31T23:59-05:00 | 2199-12-31 | date `2199-12-31` is out of range | 1970 to 2199
";

#[test]
fn mistakes_are_named_with_their_place_and_what_to_do() {
    crate::errors::check(CASES);
}
