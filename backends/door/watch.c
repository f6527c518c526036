/* What the server tells of itself: metrics, and the live page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/door/dashboard_json.h"
#include "backends/door/door_parts.h"
#include "backends/door/page.h"
#include "backends/door/prometheus.h"
#include "backends/openai/openapi.h"

void dyno_door_look(struct dyno_door *door)
{
    struct dyno_looks *looks = dyno_desk_looks(door->desk);
    uint32_t count = dyno_looks_take_samples(looks, door->samples);
    struct dyno_plan_record plans[DYNO_LOOKS_PLANS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        dyno_telemetry_sampled(door->telemetry, &door->samples[i]);
    }
    count = dyno_looks_take_plans(looks, plans);
    for (uint32_t i = 0; i < count; i++) {
        dyno_telemetry_planned(door->served[plans[i].model].telemetry, &plans[i]);
    }
    dyno_telemetry_connections(door->telemetry,
                               (uint32_t)dyno_http_server_counts(door->server).connections_open);
}

void dyno_door_count_refused(struct dyno_door *door, enum dyno_refusal why)
{
    dyno_ns now = dyno_door_now(door);

    dyno_telemetry_received(door->telemetry, now);
    dyno_telemetry_refused(door->telemetry, now, why);
}

/* A text that was made, or that could not be. */
static void reply_text(struct dyno_door *door, struct dyno_http_exchange *exchange,
                       dyno_status status, const char *type, char *text, size_t size)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, type);
    struct dyno_openai_error error;

    if (status != DYNO_OK) {
        (void)dyno_openai_fail_memory(&error);
        dyno_door_refuse(door, exchange, &door->asker, &error, 0);
        return;
    }
    dyno_door_add_header(&headers, "Cache-Control", "no-store");
    dyno_door_reply(door, exchange, &door->asker, 200, &headers, text, size);
    free(text);
}

void dyno_door_metrics(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    char *text = NULL;
    size_t size = 0;
    dyno_status status;

    dyno_door_look(door);
    status = dyno_prometheus_write(door->telemetry, dyno_door_now(door), door->config.vllm_names,
                                   &text, &size);
    reply_text(door, exchange, status, DYNO_PROMETHEUS_TYPE, text, size);
}

void dyno_door_openapi(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, "application/json");
    size_t size;
    const char *text = dyno_openai_description(&size);

    dyno_door_reply(door, exchange, &door->asker, 200, &headers, text, size);
}

/* Whoever follows the address that the server says it listens on; "dashboard" is beside it also
 * where a proxy has us below a path of its own. */
void dyno_door_root(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, NULL);

    dyno_door_add_header(&headers, "Location", "dashboard");
    dyno_door_reply(door, exchange, &door->asker, 302, &headers, NULL, 0);
}

void dyno_door_dashboard(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    struct dyno_door_headers headers = dyno_door_headers(door, &door->asker, DYNO_DASHBOARD_TYPE);
    size_t size;
    const char *html = dyno_dashboard_html(&size);

    dyno_door_add_header(&headers, "Content-Security-Policy", dyno_dashboard_policy());
    dyno_door_add_header(&headers, "X-Content-Type-Options", "nosniff");
    dyno_door_add_header(&headers, "Referrer-Policy", "no-referrer");
    dyno_door_add_header(&headers, "Cache-Control", "no-cache");
    dyno_door_reply(door, exchange, &door->asker, 200, &headers, html, size);
}

void dyno_door_dashboard_data(struct dyno_door *door, struct dyno_http_exchange *exchange)
{
    const char *since = dyno_http_exchange_query(exchange, "since");
    uint64_t since_s = 0;
    char *text = NULL;
    size_t size = 0;
    dyno_status status;

    if (since) {
        errno = 0;
        since_s = strtoull(since, NULL, 10); /* what is no number asks for everything */
        since_s = errno == 0 ? since_s : 0;
    }
    dyno_door_look(door);
    status = dyno_telemetry_json(door->telemetry, dyno_door_now(door), since_s, &text, &size);
    reply_text(door, exchange, status, "application/json", text, size);
}
