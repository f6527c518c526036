/* Telemetry in Prometheus' text format, for /metrics: docs/telemetry.md lists the names.
 *
 * With vLLM's names beside ours, dashboards and routers that were made for it find what they look
 * for: a worker is an engine, requests that are cut at their limit finish by "length".
 */
#ifndef DYNO_BACKENDS_DOOR_PROMETHEUS_H
#define DYNO_BACKENDS_DOOR_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/door/telemetry.h"

/* The Content-Type that it is answered with. */
#define DYNO_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* On success *text is the caller's to free; it ends with a NUL and has *size bytes before it.
 * Errors: DYNO_NO_MEMORY. */
dyno_status dyno_prometheus_write(const struct dyno_telemetry *telemetry, dyno_ns now,
                                  bool vllm_names, char **text, size_t *size);

#endif
