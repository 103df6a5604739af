// A handle for each transfer: probes are rare, and nothing is shared between channels.

#include "relay/transfer.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/buf.h"

enum { CONNECT_SECONDS = 10, WHOLE_SECONDS = 60, ANSWER_MOST = 8 << 20 };

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        abort();
}

static size_t on_body(char *bytes, size_t size, size_t n, void *self)
{
    struct buf *answer = self;
    buf_add(answer, bytes, size * n);
    return answer->overflow ? 0 : size * n; // 0 stops the transfer
}

static void free_list(void *list)
{
    curl_slist_free_all(list);
}

static struct curl_slist *header_list(struct arena *a, struct str lines)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    struct str line;
    while (str_next(&lines, '\n', &line))
        if (str_trim(line).n)
            list = curl_slist_append(list, arena_str(a, str_trim(line)));
    arena_defer(a, free_list, list);
    return list;
}

static void set_options(CURL *curl, struct arena *a, const struct transfer *t, struct buf *answer)
{
    curl_easy_setopt(curl, CURLOPT_URL, t->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, t->proxy ? t->proxy : "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)WHOLE_SECONDS);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header_list(a, t->headers));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (!t->body.p)
        return;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.n);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, t->body.p);
}

static const struct err_kind *kind_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return &err_upstream_timeout;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR: return &err_upstream_unreachable;
    default: return &err_upstream_failed;
    }
}

struct err *transfer_run(struct arena *a, struct transfer *t)
{
    BUF_HERE(answer, ANSWER_MOST);
    long status = 0;
    pthread_once(&once, set_up);
    CURL *curl = curl_easy_init();
    if (!curl)
        return err_new(a, &err_internal, "curl");
    set_options(curl, a, t, &answer);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    t->status = (int)status;
    t->answer = (struct str){arena_str(a, buf_view(&answer)), answer.n};
    return code ? err_new(a, kind_of(code), "%s", curl_easy_strerror(code)) : NULL;
}
