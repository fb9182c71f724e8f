-- Loses: the list of models; their files stay where they are.

DROP TABLE models;
