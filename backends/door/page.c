#include "backends/door/page.h"

#include "dashboard_page.h"

const char *dyno_dashboard_html(size_t *size)
{
    *size = sizeof dashboard_html - 1;
    return dashboard_html;
}

const char *dyno_dashboard_policy(void)
{
    return "default-src 'none'; script-src 'sha256-" DASHBOARD_SCRIPT_SHA256
           "'; style-src 'sha256-" DASHBOARD_STYLE_SHA256
           "'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'; require-trusted-types-for 'script'";
}
