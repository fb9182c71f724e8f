"""People's sessions, sign-ins under way, rates and news in Redis or Valkey."""
