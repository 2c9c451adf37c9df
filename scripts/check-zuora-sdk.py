"""Drives a Zuora API with Zuora's own Python client: create, read, post and email a bill run, and read the results.

Meant for the simulator: python3 scripts/check-zuora-sdk.py http://127.0.0.1:9700 CLIENT_ID CLIENT_SECRET
The package zuora-sdk must be importable (PYTHONPATH). The last line of stdout is one JSON object with the values as the
client's models parsed them. The exit code is 0 only if every step passed.
"""

import json
import sys
import time
from datetime import date

import zuora_sdk
from zuora_sdk.exceptions import ApiException, NotFoundException
from zuora_sdk.zuora_client import ZuoraClient

PATIENCE_SECONDS = 60
KEY = "check-zuora-sdk/email/1"


def main(url, client_id, client_secret):
    client = ZuoraClient(client_id, client_secret, None, config=zuora_sdk.Configuration(host=url))
    client.initialize()
    # The client only prints a failed login and continues without a token.
    check(client.token["access_token"], "no access token")

    bill_runs = client.bill_run_api()
    queries = client.object_queries_api()

    created = bill_runs.create_bill_run(
        zuora_sdk.CreateBillRunRequest(invoice_date=date(2026, 1, 31), target_date=date(2026, 1, 31))
    )
    check(created.success and created.status == "Pending", f"created: {created}")
    number = created.bill_run_number

    completed = until("Completed", lambda: bill_runs.get_bill_run(created.id))
    check(completed.bill_run_number == number, f"another bill run: {completed}")

    too_early = refusal(lambda: email(bill_runs, number, "check-zuora-sdk/too-early/1", False))
    check(too_early.status == 400, f"not posted, and yet: {too_early}")

    posting = bill_runs.post_bill_run(created.id, zuora_sdk.PostBillRunRequest())
    check(posting.status == "PostInProgress", f"posting: {posting}")
    posted = until("Posted", lambda: queries.query_billing_run_by_key(number))
    check(isinstance(posted, zuora_sdk.ExpandedBillingRun) and posted.id == created.id, f"posted: {posted}")

    first = email(bill_runs, number, KEY, False)
    again = email(bill_runs, number, KEY, False)
    check(first.data.success is True and again.data.success is True, f"emailed: {first.data}, {again.data}")
    check(
        first.headers["Zuora-Request-Id"] == again.headers["Zuora-Request-Id"],
        "the same key got a reply of its own",
    )

    emailed = until_emailed(lambda: queries.query_billing_run_by_key(number))
    invoices = queries.query_invoices(filter=[f"sourceid.EQ:{number}"], page_size=50).data
    check(len(invoices) == emailed.number_of_invoices, f"{len(invoices)} of {emailed.number_of_invoices} invoices")
    for invoice in invoices:
        check(invoice.status == "Posted" and invoice.last_email_sent_date, f"invoice: {invoice}")
    expanded = queries.query_invoices(filter=[f"sourceid.EQ:{number}"], expand=["account.billto"]).data
    check(all(invoice.account.bill_to.work_email for invoice in expanded), f"no addresses: {expanded}")
    files = client.invoices_api().get_invoice_pdf_status([invoice.id for invoice in invoices][0]).invoice_files
    check(files[0].pdf_generation_status == "Generated", f"PDF status: {files}")
    definitions = client.notifications_api().query_notification_definitions(limit=100).data
    check(definitions[0].active is True and definitions[0].email_active is True, f"definitions: {definitions}")
    history = client.notifications_api().get_email_history(failed_only=False, page_size=40)
    check(all(row.result == "OK" for row in history.email_histories), f"history: {history}")

    check(
        isinstance(refusal(lambda: queries.query_billing_run_by_key("BR-none")), NotFoundException),
        "an unknown bill run is not a NotFoundException",
    )
    canceled = cancel_another(bill_runs)

    return {
        "sdk": zuora_sdk.__version__,
        "billRunId": created.id,
        "billRunNumber": number,
        "statuses": [created.status, completed.status, posting.status, posted.status],
        "numberOfInvoices": emailed.number_of_invoices,
        "numberOfCreditMemos": emailed.number_of_credit_memos,
        "invoicesEmailed": emailed.invoices_emailed,
        "lastEmailSentTime": emailed.last_email_sent_time,
        "invoiceNumbers": sorted(invoice.invoice_number for invoice in invoices),
        "emailsInHistory": len(history.email_histories),
        "canceled": canceled,
    }


def email(bill_runs, number, key, resend):
    return bill_runs.email_bill_run_with_http_info(
        number, zuora_sdk.EmailBillRunRequest(resend=resend), idempotency_key=key, zuora_track_id="check-zuora-sdk"
    )


def cancel_another(bill_runs):
    other = bill_runs.create_bill_run(
        zuora_sdk.CreateBillRunRequest(invoice_date=date(2026, 1, 31), target_date=date(2026, 1, 31))
    )
    answer = bill_runs.cancel_bill_run(other.id, zuora_sdk.CancelBillRunRequest(cancel_once=True))
    check(answer.status == "CancelInProgress", f"canceling: {answer}")
    return until("Canceled", lambda: bill_runs.get_bill_run(other.id)).status


def until(status, read):
    return waited(read, lambda record: record.status == status, f"status {status}")


def until_emailed(read):
    return waited(read, lambda record: record.invoices_emailed, "emails that left")


def waited(read, holds, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    record = read()
    while not holds(record):
        check(time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}, got {record}")
        time.sleep(0.05)
        record = read()
    return record


def refusal(call):
    try:
        answer = call()
    except ApiException as error:
        return error
    raise AssertionError(f"expected a refusal, got {answer}")


def check(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    print(json.dumps(main(*sys.argv[1:])))
