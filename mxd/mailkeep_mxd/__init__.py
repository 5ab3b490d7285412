"""The door for mail: LMTP and SMTP listeners, recipients, policy."""
