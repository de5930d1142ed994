"""Runs a QuickETL workflow for one day and ends with QuickETL's documented codes: 0 success, 1 failed, 2 partial.

    run.py WORKFLOW DATE

The command `quicketl workflow run` documents the same codes, but in QuickETL 1.6.0 a partial result leaves it as 1: the
exit that says 2 is caught on its way out. So this asks QuickETL's library. Output folder and batch id come from the
environment (OUT, BATCH).
"""

import os
import sys
from pathlib import Path

from quicketl.workflow import Workflow

EXIT_CODES = {"success": 0, "failed": 1, "partial": 2}


def main() -> int:
    workflow, date = sys.argv[1:]
    out = os.environ.get("OUT", "reports")
    Path(out).mkdir(parents=True, exist_ok=True)
    variables = {"DATE": date, "BATCH": os.environ["BATCH"], "OUT": out}
    result = Workflow.from_yaml(workflow, variables=variables).run()
    for stage in result.stage_results:
        for pipeline in stage.pipeline_results:
            name = pipeline.pipeline_name
            print(f"{name}: {pipeline.status.value}, {pipeline.rows_written} rows written")
            if pipeline.error:
                print(f"{name}: {pipeline.error}", file=sys.stderr)
    return EXIT_CODES[result.status.value]


if __name__ == "__main__":
    sys.exit(main())
