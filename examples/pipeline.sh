# sh pipeline.sh BR-00000001 BR-00000002 …
start="bill-run-emails start --file - --requested-by nightly-billing --wait=2h --until emailed"
results=$(printf '%s\n' "$@" | $start)
code=$?
# A line for each, such as: BR-00000001: notSent. 1 of 3 documents was not sent: INV00000001 (no address) …
printf '%s\n' "$results" | grep -v ': emailed\. '
exit $code
