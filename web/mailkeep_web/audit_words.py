"""The audit log's names for deeds and outcomes, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep.domain.audit import ActorKind

# In the order in which the filter offers them.
ACTIONS: Final[Mapping[str, str]] = {
    "session.open": "Logged in",
    "session.close": "Logged out, or ended a session",
    "session.close_all": "Ended sessions",
    "session.list": "Looked at the sessions",
    "account.register": "Registered",
    "account.password": "Changed the password",
    "account.view": "Looked at the account",
    "account.export": "Exported the account",
    "account.export_page": "Looked at the export",
    "account.export_progress": "Followed an export",
    "account.delete": "Deleted the account",
    "account.delete_page": "Looked at the deletion",
    "message.list": "Listed messages",
    "message.view": "Opened a message",
    "message.text": "Read a message's text",
    "message.html": "Read a message's HTML",
    "message.headers": "Read a message's headers",
    "message.structure": "Read a message's structure",
    "message.source": "Took a message's source",
    "message.events": "Watched the inbox",
    "message.stream": "Streamed new messages",
    "message.update": "Marked a message",
    "message.update_found": "Marked messages",
    "message.change_selected": "Changed chosen messages",
    "message.delete": "Deleted a message",
    "message.expire": "Expired messages were removed",
    "message.delete_found": "Deleted messages",
    "attachment.download": "Downloaded an attachment",
    "attachment.download_all": "Downloaded all attachments",
    "address.list": "Listed addresses",
    "address.view": "Looked at an address",
    "address.create": "Created an address",
    "address.update": "Changed an address",
    "address.delete": "Deleted an address",
    "address.diagnosis": "Asked whether an address receives",
    "address.refusals": "Looked at refused mail",
    "address.qr": "Showed an address as a QR code",
    "token.list": "Listed tokens",
    "token.view": "Looked at a token",
    "token.create": "Created a token",
    "token.rotate": "Rotated a token",
    "token.revoke": "Revoked a token",
    "audit.list": "Read the audit log",
    "audit.export": "Exported the audit log",
    "billing.view": "Looked at the plan",
    "billing.checkout": "Went on to pay",
    "billing.portal": "Went on to manage the payment",
    "billing.subscription": "The subscription has changed",
    "billing.refund": "A payment was given back",
    "billing.dispute": "A payment was disputed",
    "billing.webhook": "Stripe gave notice",
    "admin.account_list": "An administrator searched for the account",
    "admin.account_view": "An administrator looked at the account",
    "admin.account_update": "An administrator changed the account",
    "admin.audit_list": "An administrator read the audit log",
    "admin.enter": "Entered the administration",
    "admin.leave": "Left the administration",
    "admin.stats": "Looked at the statistics",
    "incident.sessions_revoked": "All sessions were ended after an incident",
    "incident.tokens_revoked": "All tokens were revoked after an incident",
    "incident.affected": "Asked whom an incident affects",
    "keys.rotate": "Rotated the key of sessions",
    "recipients.read": "Read the recipients",
    "refusals.record": "Reported refusals",
    "reference.view": "Read the API's reference",
    "page.admin_login": "Opened the door of the administration",
    "page.landing": "Opened the start page",
    "page.pricing": "Opened the prices",
    "page.privacy": "Opened the privacy policy",
    "page.terms": "Opened the terms",
    "page.security": "Read the security contact",
    "page.robots": "Read what crawlers may do",
    "page.styleguide": "Opened the style guide",
    "usage.view": "Looked at the usage",
    "page.login": "Opened the log-in",
    "page.register": "Opened the registration",
    "page.reference": "Opened the API's reference",
    "health.live": "Asked whether the service lives",
    "health.ready": "Asked whether the service is ready",
}
OUTCOMES: Final[Mapping[str, str]] = {
    "done": "Done",
    "not-authenticated": "Not recognised",
    "not-allowed": "Not allowed",
    "not-found": "Not found",
    "invalid-input": "Input not valid",
    "http-422": "Form not right",
    "wrong-password": "Wrong password",
    "rate-exceeded": "Too often",
    "limit-reached": "Limit of the plan",
    "conflict": "Taken already",
    "quarantined": "Blocked: malware",
    "precondition-failed": "Changed meanwhile",
    "client-left": "Broken off by the client",
    "replayed": "Sent again, done once",
    "unavailable": "Service not available",
    "internal": "Fault of the service",
}
_KINDS: Final[Mapping[ActorKind, str]] = {
    ActorKind.USER: "A person of the account",
    ActorKind.TOKEN: "A token",
    ActorKind.SERVICE: "Service or administrator",
    ActorKind.OPERATOR: "Operator, on the machine",
    ActorKind.NOBODY: "Somebody not logged in",
}


def action_words(action: str) -> str:
    """The name itself when it is a newer one than these words."""
    return ACTIONS.get(action, action)


def outcome_words(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome)


def actor_words(kind: ActorKind) -> str:
    return _KINDS[kind]
