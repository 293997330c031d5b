/*
 * The hold model on ns-3's schedulers: `ns3-hold --pending=1000 --events=2000000 --scheduler=map`. Prints one line of JSON.
 */
#include "ns3/core-module.h"

#include <cmath>
#include <cstdio>
#include <sys/resource.h>
#include <vector>

using namespace ns3;

namespace
{
std::vector<int64_t> g_quantiles(65536);
uint32_t g_state = 2463534242u;
uint64_t g_left = 0;

int64_t
Delay()
{
    g_state ^= g_state << 13;
    g_state ^= g_state >> 17;
    g_state ^= g_state << 5;
    return g_quantiles[g_state >> 16] + (g_state & 1023);
}

void
Fire()
{
    if (--g_left == 0)
    {
        Simulator::Stop();
    }
    Simulator::Schedule(NanoSeconds(Delay()), &Fire);
}

double
ProcessorSeconds()
{
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}
} // namespace

int
main(int argc, char** argv)
{
    uint32_t pending = 1000;
    uint32_t events = 2000000;
    uint32_t warm = 200000;
    std::string scheduler = "map";
    CommandLine command(__FILE__);
    command.AddValue("pending", "pending events", pending);
    command.AddValue("events", "events to measure", events);
    command.AddValue("warm", "events before", warm);
    command.AddValue("scheduler", "map, heap or pq", scheduler);
    command.Parse(argc, argv);
    for (size_t i = 0; i < g_quantiles.size(); i++)
    {
        g_quantiles[i] = int64_t(std::floor(-std::log((i + 0.5) / 65536.0) * 1e6));
    }
    ObjectFactory factory;
    factory.SetTypeId(scheduler == "heap" ? "ns3::HeapScheduler" : scheduler == "pq" ? "ns3::PriorityQueueScheduler" : "ns3::MapScheduler");
    Simulator::SetScheduler(factory);
    for (uint32_t i = 0; i < pending; i++)
    {
        Simulator::Schedule(NanoSeconds(Delay()), &Fire);
    }
    g_left = warm;
    if (warm > 0)
    {
        Simulator::Run();
    }
    g_left = events;
    const double before = ProcessorSeconds();
    Simulator::Run();
    const double seconds = ProcessorSeconds() - before;
    std::printf("{\"program\":\"ns-3 %s\",\"pending\":%u,\"events\":%u,\"seconds\":%.6f,\"millionsPerSecond\":%.4f,\"nsPerEvent\":%.2f,\"check\":%ld}\n",
                scheduler.c_str(),
                pending,
                events,
                seconds,
                events / seconds / 1e6,
                seconds * 1e9 / events,
                long(Simulator::Now().GetNanoSeconds()));
    return 0;
}
