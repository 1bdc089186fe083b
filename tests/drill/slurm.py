"""A Slurm cluster of one node on the loopback interface: Debian's daemons with settings, keys and state of their own."""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "srun")
INSTALL = "apt-get install slurmctld slurmd slurm-client munge"
MEMORY_MB = 60_000
"""What the node says that it has: jobs of the studies ask for more than they use, and nothing limits them."""

# jobs are followed by their parents in /proc: no control groups, no accounting, one node that is this machine
SETTINGS = """\
ClusterName=drill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1
MinJobAge=300
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=short Nodes={host} Default=YES MaxTime=600 State=UP
PartitionName=long Nodes={host} MaxTime=INFINITE State=UP
"""
PRETENDED_CARD = "NodeName={host} Name=gpu File=/dev/zero\n"


class NoCluster(Exception):
    """This machine cannot run the daemons; the reason."""


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on."""
    taken = [socket.socket() for _ in range(count)]
    for one in taken:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Run a cluster while the body lasts; yield the variables by which its commands find it.

    Args:
        folder: for settings, keys, state and logs; made.

    Raises:
        NoCluster: a program is missing, or a daemon does not come up; with the end of its log.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=path)]:
        raise NoCluster(f"no {', '.join(missing)} here: {INSTALL}")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # what munge asks of the folder of its socket
    host = socket.gethostname().partition(".")[0]
    controller, node = free_ports(2)
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = SETTINGS.format(
        host=host, controller=controller, node=node, user=user, folder=folder, cores=os.cpu_count(), memory=MEMORY_MB
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(PRETENDED_CARD.format(host=host))
    (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    # Snakemake takes all variables of Slurm away within a job, and with them the place of these settings
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(
        f'#!/bin/sh\nSLURM_CONF={shlex.quote(str(folder / "slurm.conf"))} exec {shutil.which("srun", path=path)} "$@"\n'
    )
    srun.chmod(0o755)
    environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{srun.parent}{os.pathsep}{path}"}
    files = {name: folder / f"munge.{name}" for name in ("log", "pid", "seed", "socket")}
    words = [f"--{name if name in ('socket',) else f'{name}-file'}={file}" for name, file in files.items()]
    daemons: list[subprocess.Popen[bytes]] = []

    def begin(*command: str) -> None:
        log = (folder / f"{command[0]}.out").open("wb")
        with log:
            daemons.append(
                subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True)
            )

    try:
        begin("munged", "--foreground", "--force", "--num-threads=2", f"--key-file={key}", *words)
        wait(files["socket"].exists, folder, "munged")
        begin("slurmctld", "-D", "-i")
        begin("slurmd", "-D", "-N", host)
        wait(lambda: "idle" in asked(environment, "sinfo", "--noheader", "--format=%t"), folder, "slurmctld", "slurmd")
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def asked(environment: dict[str, str], *command: str) -> str:
    """Return what a command of the cluster says; nothing where it fails."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def wait(condition, folder: Path, *daemons: str) -> None:
    """Wait until a daemon is there; NoCluster with the end of its log if it does not come."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            logs = [path for name in daemons for path in (folder / f"{name}.out", folder / f"{name}.log") if path.is_file()]
            said = " | ".join(line for path in logs for line in path.read_text(errors="replace").splitlines()[-4:])
            raise NoCluster(f"{' and '.join(daemons)} did not come up: {said}")
        time.sleep(0.2)
