// Reading the environment by table; making what must exist before anything starts.

#include "setting/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/env.h"
#include "common/rand.h"

#define ENV(member, name, ...) FIELD_AS(struct boot, member, name, __VA_ARGS__)

const struct field boot_fields[] = {
    ENV(port, "PORT", .min = 0, .max = 65535, .def = "3000"),
    ENV(host, "HOST", .max = 255, .def = "::"),
    ENV(workers, "WORKERS", .min = 0, .max = 256),
    ENV(data_dir, "DATA_DIR", .min = 1, .max = 1024, .def = "./data"),
    ENV(sql_dsn, "SQL_DSN", .flags = SECRET, .max = 1024),
    ENV(log_sql_dsn, "LOG_SQL_DSN", .flags = SECRET, .max = 1024),
    ENV(db_connections, "SQL_MAX_OPEN_CONNS", .min = 2, .max = 1000, .def = "10"),
    ENV(redis_dsn, "REDIS_CONN_STRING", .flags = SECRET, .max = 1024),
    ENV(session_secret, "SESSION_SECRET", .flags = SECRET, .max = 1024),
    ENV(crypto_secret, "CRYPTO_SECRET", .flags = SECRET, .max = 1024),
    ENV(node_name, "NODE_NAME", .min = 1, .max = 64, .def = "node-1"),
    ENV(log_level, "LOG_LEVEL", .max = 16, .def = "info"),
    ENV(log_format, "LOG_FORMAT", .max = 16, .def = "text"),
    ENV(trusted_proxies, "TRUSTED_PROXIES", .max = 4096),
    ENV(tls_cert, "TLS_CERT_FILE", .max = 1024),
    ENV(tls_key, "TLS_KEY_FILE", .max = 1024),
    ENV(streaming_timeout, "STREAMING_TIMEOUT", .min = 1, .max = 86400, .def = "300"),
    ENV(first_byte_timeout, "FIRST_BYTE_TIMEOUT", .min = 0, .max = 86400),
    ENV(connect_timeout, "CONNECT_TIMEOUT", .min = 1, .max = 600, .def = "10"),
    ENV(header_timeout, "HEADER_TIMEOUT_SECONDS", .min = 1, .max = 3600, .def = "30"),
    ENV(body_timeout, "BODY_TIMEOUT_SECONDS", .min = 1, .max = 3600, .def = "60"),
    ENV(max_request_body_mb, "MAX_REQUEST_BODY_MB", .min = 1, .max = 2048, .def = "128"),
    ENV(shutdown_timeout, "SHUTDOWN_TIMEOUT_SECONDS", .min = 0, .max = 86400, .def = "120"),
    ENV(max_connections, "MAX_CONNECTIONS", .min = 16, .max = 1000000, .def = "100000"),
    ENV(journal_sync_ms, "JOURNAL_SYNC_MS", .min = 1, .max = 60000, .def = "50"),
    ENV(journal_max_mb, "JOURNAL_MAX_MB", .min = 1, .max = 1000000, .def = "1024"),
    ENV(root_username, "INITIAL_ROOT_USERNAME", .min = 1, .max = 32, .def = "root"),
    ENV(root_password, "INITIAL_ROOT_PASSWORD", .flags = SECRET, .max = 72),
    ENV(root_access_token, "INITIAL_ROOT_ACCESS_TOKEN", .flags = SECRET, .max = 128),
    ENV(root_token, "INITIAL_ROOT_TOKEN", .flags = SECRET, .max = 128),
    {0},
};

static struct err *read_environment(struct arena *a, struct boot *out)
{
    fields_default(a, boot_fields, out);
    for (const struct field *f = boot_fields; f->name; f++) {
        const char *text = env_text(f->name, NULL);
        struct field_value v;
        if (!text)
            continue;
        TRY(field_parse(a, f, text, &v));
        field_set(f, out, v);
    }
    return NULL;
}

static struct err *make_folder(struct arena *a, const char *path)
{
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_new(a, &err_internal, "DATA_DIR: cannot make %s: %s", path, strerror(errno));
    return NULL;
}

static bool read_file(int fd, char *out, size_t n)
{
    ssize_t got = read(fd, out, n);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

// Losing a secret loses what was sealed with it.
struct err *boot_keep(struct arena *a, const char *folder, const char *name, const char **out)
{
    const char *path = arena_printf(a, "%s/%s", folder, name);
    char *text = arena_alloc(a, 128);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        rand_text(text, 64);
        if (fd < 0 || write(fd, text, 64) != 64 || fsync(fd)) {
            struct err *e =
                err_new(a, &err_internal, "DATA_DIR: cannot write %s: %s", path, strerror(errno));
            unlink(path); // half a secret would be taken for a whole one
            return e;
        }
    } else if (fd < 0 || !read_file(fd, text, 127)) {
        return err_new(a, &err_internal, "DATA_DIR: cannot read %s: %s", path, strerror(errno));
    }
    close(fd);
    *out = arena_str(a, str_trim(str_of(text)));
    return NULL;
}

struct err *boot_load(struct arena *a, struct boot *out)
{
    TRY(env_load(a, ".env"));
    TRY(read_environment(a, out));
    TRY(make_folder(a, out->data_dir));
    if (text_is_empty(out->crypto_secret))
        TRY(boot_keep(a, out->data_dir, "crypto_secret", &out->crypto_secret));
    if (text_is_empty(out->session_secret))
        TRY(boot_keep(a, out->data_dir, "session_secret", &out->session_secret));
    if (strlen(out->crypto_secret) < 16 || strlen(out->session_secret) < 16)
        return err_new(a, &err_field_invalid,
                       "CRYPTO_SECRET and SESSION_SECRET need 16 characters");
    if (text_is_empty(out->sql_dsn))
        out->sql_dsn = arena_printf(a, "sqlite:%s/token-factory.db", out->data_dir);
    if (out->workers == 0)
        out->workers = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return NULL;
}
