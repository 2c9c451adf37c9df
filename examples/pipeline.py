# python3 pipeline.py BR-00000001 BR-00000002 …
import json
import subprocess
import sys

start = "bill-run-emails start --file - --requested-by nightly-billing --wait=2h --until emailed --json"
ended = subprocess.run(start.split(), input="\n".join(sys.argv[1:]), stdout=subprocess.PIPE, text=True)
for line in map(json.loads, ended.stdout.splitlines()):
    if line.get("outcome") != "emailed":
        numbers = " ".join(document["number"] for document in line.get("documents", []))
        text = numbers or line.get("text") or line["error"]["message"]
        print(line["billRunKey"], line.get("outcome", "failed"), text)
sys.exit(ended.returncode)
