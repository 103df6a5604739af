// Starting and stopping everything in main's order, and a blocking client.

#include "unit/support/gateway.h"

#include <curl/curl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/lane.h"
#include "common/log.h"
#include "model/tables.h"
#include "relay/relay.h"
#include "router/dispatch.h"
#include "service/ledger.h"
#include "service/session.h"
#include "service/setup.h"
#include "service/snapshot.h"
#include "unit/common/db/fixture.h"

struct gateway gateway;
const struct asking as_root = {.bearer = ROOT_ACCESS}, as_nobody = {0};

static char folder[64], dsn[512];
static struct boot boot;
static struct loop *loop;
static struct http_server *server;
static pthread_t thread;
static struct job stopping;

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void fine(struct err *e)
{
    if (e)
        fail_msg("%s: %s", e->kind->code, e->detail);
}

static void set_boot(void)
{
    fields_default(gateway.a, boot_fields, &boot);
    boot.data_dir = folder;
    boot.host = "127.0.0.1";
    boot.workers = 1;
    boot.root_password = ROOT_PASSWORD;
    boot.root_access_token = ROOT_ACCESS;
    boot.root_token = "sk-initial";
}

static void open_database(void)
{
    DB(db);
    fixture_make(gateway.a, text_of("%s/test.db", folder), dsn, sizeof(dsn));
    fine(db_pool_open(gateway.a, dsn, 4, &gateway.pool));
    fine(db_lease(gateway.pool, gateway.a, &db));
    fine(db_migrate(db, gateway.a, model_tables, model_migrations));
    fine(setup_root(db, gateway.a, &boot));
}

static void start_services(void)
{
    struct ledger_options options = {
        .pool = gateway.pool,
        .node = "test",
        .data_dir = folder,
        .sync_ms = 10,
        .journal_bytes = 1 << 24,
        .chunk = 1000,
        .idle_ms = 60000,
    };
    fine(ledger_start(gateway.a, &options));
    fine(snapshot_setup(gateway.pool, gateway.a));
    fine(relay_setup(gateway.a, &boot, gateway.pool));
    router_setup(&boot, gateway.pool, gateway.pool);
}

static void start_loop(void)
{
    workers_start(4);
    loop = loop_new(0);
    relay_attach(loop);
    fine(http_server_new(gateway.a, loop, boot.host, 0, router_handlers(), &http_default_limits,
                         &server));
    gateway.port = http_server_port(server);
    pthread_create(&thread, NULL, run_loop, loop);
}

int gateway_start(void **state)
{
    (void)state;
    gateway.a = arena_new();
    snprintf(folder, sizeof(folder), "/tmp/tf-gateway-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_true(log_setup(getenv("TF_TEST_LOG") ? "debug" : "error", "text"));
    crypto_setup(STR("the secret of the tests"));
    session_setup(STR("the session secret of the tests"));
    set_boot();
    open_database();
    start_services();
    start_loop();
    return 0;
}

static void on_client_closed(void *arg)
{
    loop_stop(arg);
}

static void on_server_closed(void *arg)
{
    relay_detach(arg, on_client_closed, arg);
}

static void on_stop(struct job *job)
{
    (void)job;
    http_server_close(server, on_server_closed, loop);
}

int gateway_stop(void **state)
{
    (void)state;
    stopping.on_loop = on_stop;
    loop_post(loop, &stopping);
    pthread_join(thread, NULL);
    workers_stop();
    ledger_stop();
    snapshot_stop();
    loop_free(loop);
    db_pool_close(gateway.pool);
    fixture_remove(gateway.a, text_of("%s/test.db", folder), dsn);
    arena_free(gateway.a);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

const char *text_of(const char *fmt, ...)
{
    char text[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return arena_strdup(gateway.a, text);
}

// --- asking ------------------------------------------------------------------------------

static size_t on_bytes(char *bytes, size_t size, size_t n, void *self)
{
    buf_add(self, bytes, size * n);
    return size * n;
}

static struct curl_slist *headers_of(const struct asking *who, bool body)
{
    struct curl_slist *list = NULL;
    if (body)
        list = curl_slist_append(list, text_of("Content-Type: %s", who->content_type
                                                                       ? who->content_type
                                                                       : "application/json"));
    if (who->bearer)
        list = curl_slist_append(list, text_of("Authorization: Bearer %s", who->bearer));
    if (who->session)
        list = curl_slist_append(list, text_of("Cookie: other=1; tf_session=%s; tf_csrf=%s",
                                               who->session, who->csrf ? who->csrf : ""));
    if (who->csrf && !who->without_csrf_header)
        list = curl_slist_append(list, text_of("X-CSRF-Token: %s", who->csrf));
    for (int i = 0; i < 8 && who->headers[i]; i++)
        list = curl_slist_append(list, who->headers[i]);
    return list;
}

static void read_envelope(struct answer *x)
{
    x->code = x->message = "";
    if (json_read(gateway.a, x->text, &x->root))
        return;
    x->data = yyjson_obj_get(x->root, "data");
    x->code = json_text_at(x->root, "code") ? json_text_at(x->root, "code") : "";
    x->message = json_text_at(x->root, "message") ? json_text_at(x->root, "message") : "";
}

struct answer ask(const struct asking *who, const char *method, const char *path, const char *body)
{
    struct answer x = {.asked = text_of("%s %s %s", method, path, body ? body : "")};
    long status = 0;
    BUF_HERE(head, 1 << 20);
    BUF_HERE(text, 1 << 24);
    char *json = body ? arena_strdup(gateway.a, body) : NULL;
    for (char *c = json; c && *c; c++)
        *c = *c == '\'' ? '"' : *c;
    CURL *curl = curl_easy_init();
    struct curl_slist *list = headers_of(who, body != NULL);
    curl_easy_setopt(curl, CURLOPT_URL, text_of("http://127.0.0.1:%d%s", gateway.port, path));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    if (json)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
    CURLcode failed = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    if (failed)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(failed));
    x.status = (int)status;
    x.head = str_of(arena_str(gateway.a, buf_view(&head)));
    x.text = str_of(arena_str(gateway.a, buf_view(&text)));
    read_envelope(&x);
    return x;
}

struct answer answer_with(int status, struct answer x, const char *file, int line)
{
    if (x.status != status) {
        print_error("%s\nanswered %d, not %d: %s\n", x.asked, x.status, status, x.text.p);
        _fail(file, line);
    }
    return x;
}

static const char *header_after(const struct answer *x, const char *name, const char *prefix)
{
    struct str rest = x->head, line, key;
    while (str_next(&rest, '\n', &line)) {
        struct str value = str_trim(line);
        if (!str_next(&value, ':', &key) || !str_is_nocase(key, name))
            continue;
        value = str_trim(value);
        if (str_starts(value, prefix))
            return arena_str(gateway.a, str_skip(value, strlen(prefix)));
    }
    return "";
}

const char *answer_header(const struct answer *x, const char *name)
{
    return header_after(x, name, "");
}

const char *answer_cookie(const struct answer *x, const char *name)
{
    const char *value = header_after(x, "set-cookie", text_of("%s=", name));
    return arena_strndup(gateway.a, value, strcspn(value, ";"));
}

int64_t data_int(const struct answer *x, const char *member)
{
    return json_int_at(x->data, member, INT64_MIN);
}

const char *data_text(const struct answer *x, const char *member)
{
    const char *text = json_text_at(x->data, member);
    return text ? text : "";
}

struct asking gateway_login(const char *name, const char *password)
{
    struct answer x = ask_for(200, &as_nobody, "POST", "/api/user/login",
                              text_of("{'username':'%s','password':'%s'}", name, password));
    return (struct asking){.session = answer_cookie(&x, "tf_session"),
                           .csrf = answer_cookie(&x, "tf_csrf")};
}

int64_t gateway_user(const char *name, int role, struct asking *who)
{
    struct answer x = ask_for(
        200, &as_root, "POST", "/api/users",
        text_of("{'username':'%s','password':'password','role':%d,'quota':5000}", name, role));
    if (who)
        *who = gateway_login(name, "password");
    return data_int(&x, "id");
}
