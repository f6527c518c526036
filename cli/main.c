/* dyno: a bench for LLM serving fleets. */
#include "cli/commands.h"

int main(int argc, char **argv)
{
    return dyno_main(argc, argv);
}
