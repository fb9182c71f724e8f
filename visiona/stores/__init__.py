"""State kept elsewhere: interfaces, and the engines behind them."""
