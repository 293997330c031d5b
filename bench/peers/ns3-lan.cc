/*
 * The LAN of the benchmark in ns-3: clients - learning bridge - router - learning bridge - servers, 1 Gbit/s, 1 us a cable, ARP.
 *
 * TCP: each client opens a connection every millisecond, round robin; 100 bytes there, 1000 back, both ends close. UDP: 100 bytes there,
 * 1000 back. Cables are full duplex: one CSMA channel between two devices never collides with 1 us and queues of its own on each side.
 * TIME_WAIT is 10 ms, in favour of ns-3, whose cost a connection rises with the sockets that it keeps. Prints one line of JSON.
 */
#include "ns3/bridge-helper.h"
#include "ns3/core-module.h"
#include "ns3/csma-helper.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/traffic-control-module.h"

#include <cstdio>
#include <sys/resource.h>
#include <vector>

using namespace ns3;

namespace
{
const uint32_t REQUEST = 100;
const uint32_t RESPONSE = 1000;
const uint16_t SERVICE = 80;

uint64_t g_frames = 0;
uint64_t g_done = 0;
uint64_t g_failed = 0;

double
ProcessorSeconds()
{
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

void
CountFrame(Ptr<const Packet>)
{
    g_frames++;
}

uint32_t
ReadAll(Ptr<Socket> socket)
{
    uint32_t count = 0;
    for (Ptr<Packet> packet = socket->Recv(); packet; packet = socket->Recv())
    {
        count += packet->GetSize();
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------------ servers */

void
AnswerTcp(Ptr<Socket> socket)
{
    if (ReadAll(socket) == REQUEST)
    {
        socket->Send(Create<Packet>(RESPONSE));
    }
}

void
CloseToo(Ptr<Socket> socket)
{
    socket->Close();
}

void
Accept(Ptr<Socket> socket, const Address&)
{
    socket->SetRecvCallback(MakeCallback(&AnswerTcp));
    socket->SetCloseCallbacks(MakeCallback(&CloseToo), MakeCallback(&CloseToo));
}

void
AnswerUdp(Ptr<Socket> socket)
{
    Address from;
    while (Ptr<Packet> packet = socket->RecvFrom(from))
    {
        socket->SendTo(Create<Packet>(RESPONSE), 0, from);
    }
}

Ptr<Socket>
Serve(Ptr<Node> node, bool isTcp)
{
    Ptr<Socket> socket = Socket::CreateSocket(node, isTcp ? TcpSocketFactory::GetTypeId() : UdpSocketFactory::GetTypeId());
    socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), SERVICE));
    if (isTcp)
    {
        socket->Listen();
        socket->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(), MakeCallback(&Accept));
    }
    else
    {
        socket->SetRecvCallback(MakeCallback(&AnswerUdp));
    }
    return socket;
}

/* ------------------------------------------------------------------------------------------------------------ clients */

/** One connection: counts what comes back. */
struct Exchange : public SimpleRefCount<Exchange>
{
    uint32_t received = 0;

    void Connected(Ptr<Socket> socket)
    {
        socket->Send(Create<Packet>(REQUEST));
    }

    void Failed(Ptr<Socket>)
    {
        g_failed++;
    }

    void Receive(Ptr<Socket> socket)
    {
        const uint32_t count = ReadAll(socket);
        received += count;
        // Called for the FIN as well, with nothing to read.
        if (count > 0 && received == RESPONSE)
        {
            g_done++;
            socket->Close();
        }
    }
};

struct Client
{
    Ptr<Node> node;
    const std::vector<InetSocketAddress>* servers = nullptr;
    uint32_t left = 0;
    uint32_t next = 0;
    Time interval;
    Ptr<Socket> udp;

    const InetSocketAddress& Turn()
    {
        const InetSocketAddress& server = (*servers)[next];
        next = (next + 1) % servers->size();
        return server;
    }

    void Open()
    {
        Ptr<Socket> socket = Socket::CreateSocket(node, TcpSocketFactory::GetTypeId());
        Ptr<Exchange> exchange = Create<Exchange>();
        socket->SetConnectCallback(MakeCallback(&Exchange::Connected, exchange), MakeCallback(&Exchange::Failed, exchange));
        socket->SetRecvCallback(MakeCallback(&Exchange::Receive, exchange));
        NS_ABORT_MSG_IF(socket->Bind() != 0, "no port left");
        socket->Connect(Turn());
        if (--left > 0)
        {
            Simulator::Schedule(interval, &Client::Open, this);
        }
    }

    void Ask()
    {
        udp->SendTo(Create<Packet>(REQUEST), 0, Turn());
        if (--left > 0)
        {
            Simulator::Schedule(interval, &Client::Ask, this);
        }
    }

    void Answered(Ptr<Socket> socket)
    {
        Address from;
        while (socket->RecvFrom(from))
        {
            g_done++;
        }
    }
};

/* ------------------------------------------------------------------------------------------------------------ network */

/** Cables all nodes to one bridge; returns their interfaces, the router's last. */
Ipv4InterfaceContainer
Segment(NodeContainer hosts, Ptr<Node> router, const char* network)
{
    CsmaHelper cable;
    cable.SetChannelAttribute("DataRate", StringValue("1Gbps"));
    cable.SetChannelAttribute("Delay", TimeValue(MicroSeconds(1)));
    Ptr<Node> bridge = CreateObject<Node>();
    NetDeviceContainer interfaces;
    NetDeviceContainer ports;
    NodeContainer members(hosts, router);
    for (uint32_t i = 0; i < members.GetN(); i++)
    {
        NetDeviceContainer ends = cable.Install(NodeContainer(members.Get(i), bridge));
        interfaces.Add(ends.Get(0));
        ports.Add(ends.Get(1));
        for (uint32_t end = 0; end < 2; end++)
        {
            ends.Get(end)->TraceConnectWithoutContext("MacTx", MakeCallback(&CountFrame));
        }
    }
    BridgeHelper().Install(bridge, ports);
    Ipv4AddressHelper addresses;
    addresses.SetBase(network, "255.255.0.0");
    Ipv4InterfaceContainer assigned = addresses.Assign(interfaces);
    // No queue disciplines: nobody else here has them either.
    TrafficControlHelper().Uninstall(interfaces);
    Ipv4StaticRoutingHelper routing;
    for (uint32_t i = 0; i < hosts.GetN(); i++)
    {
        routing.GetStaticRouting(hosts.Get(i)->GetObject<Ipv4>())->SetDefaultRoute(assigned.GetAddress(hosts.GetN()), 1);
    }
    return assigned;
}
} // namespace

int
main(int argc, char** argv)
{
    uint32_t clientCount = 8;
    uint32_t serverCount = 4;
    uint32_t exchanges = 10000;
    std::string protocol = "tcp";
    CommandLine command(__FILE__);
    command.AddValue("clients", "clients", clientCount);
    command.AddValue("servers", "servers", serverCount);
    command.AddValue("exchanges", "connections or datagrams, of all clients together", exchanges);
    command.AddValue("protocol", "tcp or udp", protocol);
    command.Parse(argc, argv);
    const bool isTcp = protocol == "tcp";
    const uint32_t each = (exchanges + clientCount - 1) / clientCount;

    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(0.005));
    Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(1000));

    NodeContainer clients(clientCount);
    NodeContainer servers(serverCount);
    Ptr<Node> router = CreateObject<Node>();
    InternetStackHelper stack;
    Ipv4StaticRoutingHelper routing;
    stack.SetRoutingHelper(routing);
    stack.SetIpv6StackInstall(false);
    stack.SetIpv4ArpJitter(false);
    stack.Install(clients);
    stack.Install(servers);
    stack.Install(router);
    Segment(clients, router, "10.1.0.0");
    Ipv4InterfaceContainer serverSide = Segment(servers, router, "10.2.0.0");

    std::vector<Ptr<Socket>> listening;
    std::vector<InetSocketAddress> addresses;
    for (uint32_t i = 0; i < serverCount; i++)
    {
        listening.push_back(Serve(servers.Get(i), isTcp));
        addresses.push_back(InetSocketAddress(serverSide.GetAddress(i), SERVICE));
    }
    std::vector<Client> all(clientCount);
    for (uint32_t i = 0; i < clientCount; i++)
    {
        Client& client = all[i];
        client.node = clients.Get(i);
        client.servers = &addresses;
        client.left = each;
        client.next = i % serverCount;
        client.interval = MilliSeconds(1);
        // Spread evenly over one interval.
        Time start = MilliSeconds(10) + NanoSeconds(1000000 * i / clientCount);
        if (isTcp)
        {
            Simulator::ScheduleWithContext(client.node->GetId(), start, &Client::Open, &client);
            continue;
        }
        client.udp = Socket::CreateSocket(client.node, UdpSocketFactory::GetTypeId());
        client.udp->Bind();
        client.udp->SetRecvCallback(MakeCallback(&Client::Answered, &client));
        Simulator::ScheduleWithContext(client.node->GetId(), start, &Client::Ask, &client);
    }

    const double before = ProcessorSeconds();
    Simulator::Run();
    const double seconds = ProcessorSeconds() - before;
    const double count = double(each) * clientCount;
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    std::printf("{\"program\":\"ns-3\",\"exchanges\":%.0f,\"done\":%lu,\"failed\":%lu,\"frames\":%lu,\"events\":%lu,\"seconds\":%.6f,"
                "\"usPerExchange\":%.4f,\"nsPerFrame\":%.2f,\"framesPerExchange\":%.3f,\"eventsPerFrame\":%.3f,\"peakMegabytes\":%ld}\n",
                count,
                (unsigned long)g_done,
                (unsigned long)g_failed,
                (unsigned long)g_frames,
                (unsigned long)Simulator::GetEventCount(),
                seconds,
                seconds * 1e6 / count,
                seconds * 1e9 / g_frames,
                g_frames / count,
                double(Simulator::GetEventCount()) / g_frames,
                usage.ru_maxrss / 1024);
    Simulator::Destroy();
    return g_done == uint64_t(count) ? 0 : 1;
}
