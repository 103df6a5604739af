// Google's addresses, which say what is to be done with which model (gemini.md 1).

#pragma once
struct attempt;
struct err;

struct err *gemini_url(struct attempt *t);
