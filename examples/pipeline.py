"""Emails a bill run with Temporal's SDK for Python (pip install temporalio):

    python3 examples/pipeline.py BR-00000001                     starts or joins its job, and waits until Zuora has accepted it
    python3 examples/pipeline.py BR-00000001 --resend TICKET-1   emails all documents again, once for each request id

Temporal is found by the TEMPORAL_* variables. Exit codes: 0 accepted, 4 waits for a person or documents were not sent,
5 closed without emailing.
"""

import argparse
import asyncio
import os
import sys

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import WorkflowAlreadyStartedError

TASK_QUEUE = os.environ.get("BILL_RUN_TASK_QUEUE") or "bill-run-emails"
REQUESTED_BY = "nightly-billing"
PAUSE_SECONDS = 1
EXIT_CODES = {
    **dict.fromkeys(("Delivering", "Emailed"), 0),
    **dict.fromkeys(("Held", "NeedsAttention"), 4),
    **dict.fromkeys(("Skipped", "NotPosted", "Stopped", "Unsettled"), 5),
}


def workflow_id(number):
    """The one workflow id of the job of a bill run."""
    return f"email-bill-run/{number}"


async def start(client, number):
    """Returns started, joined, alreadyEmailed or stopped. Safe to repeat. docs/how-it-works.md has the table."""
    # Starts nothing if a job has this id, open or closed.
    if await start_job(client, number, WorkflowIDReusePolicy.REJECT_DUPLICATE):
        return "started"
    last = await client.get_workflow_handle(workflow_id(number)).describe()
    completed_as = attribute(last, "EmailState") if last.status == WorkflowExecutionStatus.COMPLETED else None
    if attribute(last, "EmailSends", 0) > 0 or completed_as in ("Delivering", "Emailed"):
        return "alreadyEmailed"
    if last.close_time is None:
        return "joined"
    if last.status in (WorkflowExecutionStatus.CANCELED, WorkflowExecutionStatus.TERMINATED) or completed_as == "Stopped":
        return "stopped"
    started = await start_job(client, number, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    # If another client was faster, its job is joined.
    return "started" if started else await start(client, number)


def attribute(job, name, default=None):
    """A search attribute: the job sets it, so reading it needs no worker."""
    return job.search_attributes.get(name, [default])[0]


async def start_job(client, number, reuse_policy):
    try:
        await client.start_workflow(
            "emailBillRun",
            {"billRunKey": number, "requestedBy": REQUESTED_BY},
            id=workflow_id(number),
            task_queue=TASK_QUEUE,
            id_reuse_policy=reuse_policy,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"email bill run {number}",
        )
        return True
    except WorkflowAlreadyStartedError:
        return False


async def emailed(client, number):
    """Waits until Zuora has accepted it, or a person is needed; the exit code says which."""
    while True:
        job = await client.get_workflow_handle(workflow_id(number)).describe()
        state = attribute(job, "EmailState")
        closed = job.close_time is not None
        code = EXIT_CODES.get(state, 5 if closed else None)
        if code is not None:
            print(f"{number}: {state}")
            # A job that closed while it waited for a person has not emailed.
            return 5 if closed and code == 4 else code
        await asyncio.sleep(PAUSE_SECONDS)


async def resend(client, number, request_id):
    """An open job gets the signal. A new job finds the request in its input as well, and takes it once."""
    request = {"requestId": request_id, "requestedBy": REQUESTED_BY}
    await client.start_workflow(
        "emailBillRun",
        {"billRunKey": number, "resend": True, **request},
        id=workflow_id(number),
        task_queue=TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        start_signal="resend",
        start_signal_args=[request],
        static_summary=f"email bill run {number} (resend)",
    )


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number")
    parser.add_argument("--resend", metavar="REQUEST_ID")
    args = parser.parse_args()

    client = await Client.connect(**ClientConfig.load_client_connect_config())
    if args.resend is not None:
        await resend(client, args.number, args.resend)
        print(f"{args.number}: asked for")
        return 0
    result = await start(client, args.number)
    print(f"{args.number}: {result}")
    if result == "alreadyEmailed":
        not_sent = attribute(await client.get_workflow_handle(workflow_id(args.number)).describe(), "DocumentsNotSent", 0)
        if not_sent > 0:
            print(f"{not_sent} documents were not sent: fix the cause, then bill-run-emails retry {args.number}", file=sys.stderr)
        return 4 if not_sent > 0 else 0
    return 5 if result == "stopped" else await emailed(client, args.number)


if __name__ == "__main__":
    exit_code = asyncio.run(main())
    sys.stdout.flush()
    # An ordinary exit sometimes aborts: the SDK's threads outlive the interpreter (temporalio/sdk-python issue 300).
    os._exit(exit_code)
