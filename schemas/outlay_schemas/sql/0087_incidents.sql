-- Incidents: alerts of one cause are one message. And a table goes that alert_words replaced.

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS incident String DEFAULT id COMMENT 'Id of the incident that the alert is a part of: the id of the alert that opened it' AFTER id;
ALTER TABLE alert_messages ADD COLUMN IF NOT EXISTS incident String COMMENT 'Id of the incident that the message is about; empty: none' AFTER message_id;

DROP TABLE IF EXISTS alert_snoozes;
