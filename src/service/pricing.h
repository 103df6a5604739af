// What a request costs, in integers.
//
// Ratios are decimals with up to six digits behind the point, kept as millionths. With
//
//     units = prompt + cache_read x cache_ratio + cache_write_5m x create_ratio
//           + cache_write_1h x create_1h_ratio + completion x completion_ratio
//     quota = units x model_ratio x group_ratio          (500000 quota = 1 USD)
//
// computed exactly in 128 bits and rounded once, at the end, half up; a request that used
// something of a model that is not free costs at least 1. Per call: price in USD x 500000 x
// group_ratio, rounded the same way.

#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

struct arena;

enum { MICRO = 1000000, QUOTA_PER_USD = 500000 };

// Bounds that keep every product below 2^127; settings are checked against them.
#define RATIO_MAX ((int64_t)100000 * MICRO)
#define TOKENS_MAX ((int64_t)1 << 40)

struct price {
    bool per_call;
    int64_t call_price;  // millionths of a USD
    int64_t model_ratio; // all in millionths from here
    int64_t completion_ratio, cache_ratio, create_ratio, create_1h_ratio;
};

struct price_usage { // as relay/chat.h's chat_usage, which service may not include
    int64_t prompt, cache_read, cache_write_5m, cache_write_1h, completion;
};

// "0.0375" or a JSON number's value in millionths; false when not a finite number in [0,
// RATIO_MAX].
bool price_micro(double value, int64_t *out);

bool price_counts_fit(const struct price_usage *u); // each in 0 .. TOKENS_MAX

// err_price_overflow when counts or product leave their bounds.
struct err *price_quota(struct arena *a, const struct price *p, int64_t group_ratio,
                        const struct price_usage *u, int64_t *quota);

// Members of the open object that let a person redo the sum: the ratios, and the counts that the
// log row itself does not have. Classes of tokens that were not used are left out.
void price_explain(struct json *j, const struct price *p, int64_t group_ratio,
                   const struct price_usage *u);
