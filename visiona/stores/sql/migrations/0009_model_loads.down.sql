-- Loses: which model is on which accelerator, and loads that go on; what devices received stays there.

DROP TABLE model_loads;
