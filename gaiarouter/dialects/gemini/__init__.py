"""Google's Gemini (`generateContent`): requests and answers, as targets speak it."""
