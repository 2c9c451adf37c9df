#!/bin/sh
# Has a bill run emailed with nothing but the `temporal` command:
#
#   examples/pipeline.sh start BR-00000001             started, joined, alreadyEmailed, canceled or terminated
#   examples/pipeline.sh posted BR-00000001            it has posted: its run looks at it now
#   examples/pipeline.sh wait BR-00000001              until it was emailed, or that needs a person
#   examples/pipeline.sh resend BR-00000001 TICKET-1   emails all documents again, once for each request id
#
# Exit codes: 0 done as asked, 1 unexpected, 2 usage, 4 waits for a person, 5 ended without emailing.
set -eu

queue=${BILL_RUN_TASK_QUEUE:-bill-run-emails}
number=${2:-}
request=${3:-}
# The one workflow id by which everybody finds the run of a bill run.
id=email-bill-run/$number

main() {
  # Nothing that would need quotes in JSON.
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
  # Starts nothing where there is a run with this id, at work or closed.
  if said=$(start_run RejectDuplicate 2>&1); then
    echo started
    return
  fi
  case $(temporals_status) in
  RUNNING | PAUSED) echo joined ;;
  CANCELED) echo canceled && exit 5 ;;
  TERMINATED) echo terminated && exit 5 ;;
  COMPLETED | FAILED | TIMED_OUT)
    if [ "$(state)" = Emailed ]; then
      echo alreadyEmailed
    else
      start_run AllowDuplicate
      echo started
    fi
    ;;
  *) echo "$said" >&2 && exit 1 ;;
  esac
}

start_run() {
  temporal workflow start --type emailBillRun --task-queue "$queue" --workflow-id "$id" \
    --fail-existing --id-reuse-policy "$1" --id-conflict-policy Fail \
    --static-summary "email bill run $number" \
    --input "{\"billRunKey\":\"$number\",\"requestedBy\":\"nightly-billing\"}" >&2
}

# The run at work gets the signal; where there is none, a new one finds the request in its input as well, and takes it once.
resend() {
  asked="\"requestId\":\"$request\",\"requestedBy\":\"nightly-billing\""
  temporal workflow signal-with-start --type emailBillRun --task-queue "$queue" --workflow-id "$id" \
    --id-reuse-policy AllowDuplicate --static-summary "email bill run $number (resend)" \
    --input "{\"billRunKey\":\"$number\",\"resend\":true,$asked}" --signal-name resend --signal-input "{$asked}"
}

wait_until_emailed() {
  while :; do
    state=$(state)
    case $state in
    Emailed) echo "$state" && exit 0 ;;
    Held | NeedsAttention) echo "$state" && exit 4 ;;
    Skipped | NotPosted | Finished | Canceled) echo "$state" && exit 5 ;;
    WaitingForPost | Delayed | Sending) sleep 1 ;;
    # No worker answers for now, or the run has failed or was stopped.
    *) case $(temporals_status) in RUNNING | PAUSED) sleep 1 ;; *) echo "ended without emailing" && exit 5 ;; esac ;;
    esac
  done
}

# What the run says. A run that failed or was stopped is not asked: its last word is not how it ended.
state() {
  temporal workflow query --workflow-id "$id" --type status --reject-condition not_completed_cleanly --output json |
    value_of state
}

temporals_status() {
  temporal workflow describe --workflow-id "$id" --output json | value_of status | sed 's/^WORKFLOW_EXECUTION_STATUS_//'
}

# The first text of that name in JSON. What people wrote has its quotes escaped, and is never taken for it.
value_of() {
  grep -o "\"$1\": *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

main "$@"
