-- Loses: the audit log; export it first.

DROP TABLE audit_entries;
