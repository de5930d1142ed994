BEGIN;
SELECT raise_fence(:'pipeline', :fence);
INSERT INTO revenue (day, revenue) VALUES (:'day', :revenue)
ON CONFLICT (day) DO UPDATE SET revenue = excluded.revenue;
COMMIT;
