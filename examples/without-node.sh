#!/bin/sh
# Emails a bill run with nothing but the `temporal` command, where no Node is:
#
#   examples/without-node.sh start BR-00000001             started, joined, alreadyEmailed or stopped
#   examples/without-node.sh posted BR-00000001            it has posted: its job looks at it now
#   examples/without-node.sh wait BR-00000001              until Zuora has accepted it, or a person is needed
#   examples/without-node.sh resend BR-00000001 TICKET-1   emails all documents again, once for each request id
#
# Exit codes: 0 done, 1 unexpected, 2 usage, 4 waits for a person, or documents were not sent, 5 closed without emailing.
set -eu

queue=${BILL_RUN_TASK_QUEUE:-bill-run-emails}
number=${2:-}
request=${3:-}
# The one workflow id of the job of a bill run.
id=email-bill-run/$number

main() {
  # Only characters that need no quotes in JSON.
  case $number,$request in ,* | *[!A-Za-z0-9,._-]*) usage ;; esac
  case ${1:-},$request in
  start,) start ;;
  posted,) temporal workflow signal --workflow-id "$id" --name billRunPosted ;;
  wait,) wait_until_emailed ;;
  resend,?*) resend ;;
  *) usage ;;
  esac
}

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

start() {
  # Starts nothing if a job has this id, open or closed.
  if failure=$(start_job RejectDuplicate 2>&1); then
    echo started
    return
  fi
  # What the last job shows decides: docs/how-it-works.md has the table.
  describe
  status=$(temporals_status)
  sends=$(attribute EmailSends)
  case $status,$(attribute EmailState) in
  ,*) echo "$failure" >&2 && exit 1 ;;
  COMPLETED,Delivering | COMPLETED,Emailed) sends=1 ;;
  COMPLETED,Stopped) status=TERMINATED ;;
  esac
  if [ "${sends:-0}" -gt 0 ]; then
    echo alreadyEmailed
    exit_if_not_sent
    return
  fi
  case $status in
  RUNNING | PAUSED) echo joined ;;
  CANCELED | TERMINATED) echo stopped && exit 5 ;;
  *) start_job AllowDuplicate && echo started ;;
  esac
}

exit_if_not_sent() {
  not_sent=$(attribute DocumentsNotSent)
  [ "${not_sent:-0}" -eq 0 ] && return
  echo "$not_sent documents were not sent: fix the cause, then bill-run-emails retry $number" >&2
  exit 4
}

start_job() {
  temporal workflow start --type emailBillRun --task-queue "$queue" --workflow-id "$id" \
    --fail-existing --id-reuse-policy "$1" --id-conflict-policy Fail \
    --static-summary "email bill run $number" \
    --input "{\"billRunKey\":\"$number\",\"requestedBy\":\"nightly-billing\"}" >&2
}

# An open job gets the signal. A new job finds the request in its input as well, and takes it once.
resend() {
  request_json="\"requestId\":\"$request\",\"requestedBy\":\"nightly-billing\""
  temporal workflow signal-with-start --type emailBillRun --task-queue "$queue" --workflow-id "$id" \
    --id-reuse-policy AllowDuplicate --static-summary "email bill run $number (resend)" \
    --input "{\"billRunKey\":\"$number\",\"resend\":true,$request_json}" --signal-name resend --signal-input "{$request_json}"
}

wait_until_emailed() {
  while :; do
    describe
    state=$(attribute EmailState)
    case $(temporals_status),$state in
    ,*) echo "nothing is known of $number: it has no job, or Temporal does not answer" >&2 && exit 1 ;;
    *,Delivering | *,Emailed) echo "$state" && exit_if_not_sent && exit 0 ;;
    RUNNING,Held | RUNNING,NeedsAttention | PAUSED,Held | PAUSED,NeedsAttention) echo "$state" && exit 4 ;;
    RUNNING,* | PAUSED,*) sleep 1 ;;
    # It failed, or a person closed it.
    *) echo "$state: closed without emailing" && exit 5 ;;
    esac
  done
}

# What Temporal shows of the last job; empty if there is no job, or no answer.
describe() {
  described=$(temporal workflow describe --workflow-id "$id" --output json) || described=
}

temporals_status() {
  printf '%s\n' "$described" | value_of status | sed 's/^WORKFLOW_EXECUTION_STATUS_//'
}

# A search attribute: the job sets it, so reading it needs no worker.
attribute() {
  printf '%s\n' "$described" | sed -n "/\"$1\": {/,/\"data\"/p" | value_of data | base64 -d | tr -d '"'
}

# The first text of that name in JSON. Quotes inside texts are escaped, so they do not match.
value_of() {
  grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

main "$@"
