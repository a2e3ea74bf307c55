"""What a test cluster's configuration files say, and the ports they name."""

from __future__ import annotations

import getpass
import random
import socket
from dataclasses import dataclass
from pathlib import Path

import database

CLUSTER = "testcluster"

# cred_expire: a requeued job waits for its old credential to expire, 121 s by default.
# CommunicationParameters: controller and nodes listen on 127.0.0.1 instead of every interface.
# PreemptMode must not be OFF for the partitions' own modes to count.
SLURM = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={prefix}/munge/socket,cred_expire=10
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={prefix}/state
SlurmdSpoolDir={prefix}/spool/%n
SlurmctldPidFile={prefix}/run/slurmctld.own
SlurmdPidFile={prefix}/run/%n.own
ProctrackType=proctrack/linuxproc
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=1
MessageTimeout=10
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={prefix}/munge/socket
NodeName=node[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 \\
 Port=[{first}-{last}] CPUs={cpus} State=UNKNOWN
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE DefaultTime=60 State=UP
PartitionName=low PriorityTier=1 PreemptMode=CANCEL Default=YES
PartitionName=requeue PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high PriorityTier=10 PreemptMode=OFF
"""
ACCOUNTING = """\
AuthType=auth/munge
AuthInfo=socket={prefix}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser={user}
PidFile={prefix}/run/slurmdbd.own
LogFile={prefix}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc={database}
CommitDelay=1
"""


@dataclass(frozen=True)
class Settings:
    """``prefix``: the cluster's folder. ``plugins``: where Slurm's plugins lie, if elsewhere."""

    prefix: Path
    nodes: int
    cpus: int
    version: tuple[int, int]
    plugins: str | None

    def write(self) -> None:
        """slurm.conf, slurmdbd.conf and, where this version needs it, cgroup.conf below ``prefix/etc``."""
        port = free_ports(2 + self.nodes)
        host = socket.gethostname().partition(".")[0]
        values = {
            "cluster": CLUSTER,
            "cpus": self.cpus,
            "database": database.NAME,
            "dbd_port": port + 1,
            "first": port + 2,
            "host": host,
            "last": port + 1 + self.nodes,
            "nodes": self.nodes,
            "port": port,
            "prefix": self.prefix,
            "user": getpass.getuser(),
        }
        folder = self.prefix / "etc"
        plugins = f"PluginDir={self.plugins}\n" if self.plugins else ""
        accounting = folder / "slurmdbd.conf"
        accounting.touch(0o600)  # slurmdbd refuses a file that others can read
        accounting.write_text(ACCOUNTING.format(**values) + plugins, "utf-8")
        if self.version >= (23, 11):  # it looks for a cgroup hierarchy even where nothing uses one
            (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n", "utf-8")
        (folder / "slurm.conf").write_text(SLURM.format(**values) + plugins, "utf-8")


_claims: list[socket.socket] = []


def free_ports(count: int) -> int:
    """The first of ``count`` neighbouring free ports, below those that the kernel gives to clients.

    No other process is given them while this one lives: until its daemons listen they only look free.
    """
    for first in random.sample(range(20_000, 31_000, count), 50):
        probes = [socket.socket() for _ in range(count)]
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0sweep-agent-tests-{first}")
            for number, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + number))
        except OSError:
            claim.close()
            continue
        finally:
            for probe in probes:
                probe.close()
        _claims.append(claim)
        return first
    raise OSError(f"found no {count} neighbouring free ports")
