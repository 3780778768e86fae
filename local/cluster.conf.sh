# shellcheck shell=bash disable=SC2154
#
# cluster.conf.sh - the configuration files of the local SLURM cluster, as functions that print them.
# TRAWL_SLURM_EXTRA holds more lines for slurm.conf (the last one of a key wins).

# The node pretends to have 8 CPUs and much memory, so that settings made for a real cluster are accepted.
conf_slurm() {
    local host
    host=$(uname -n | cut -d. -f1)
    cat <<E
ClusterName=trawl
SlurmUser=slurm
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(port slurmctld)
SlurmdPort=$(port slurmd)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$DATA/munge/socket
StateSaveLocation=$DATA/ctld
SlurmdSpoolDir=$DATA/spool
SlurmctldPidFile=$DATA/run/slurmctld.pid
SlurmdPidFile=$DATA/run/slurmd.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.log
PlugStackConfig=$DATA/plugstack.conf
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=30
KillWait=2
CompleteWait=0
InactiveLimit=0
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=10
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$(port slurmdbd)
AccountingStoragePass=$DATA/munge/socket
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=512000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=100
PartitionName=short Nodes=ALL MaxTime=1 DefaultTime=1 State=UP DefMemPerCPU=100
${TRAWL_SLURM_EXTRA:-}
E
    : >"$DATA/plugstack.conf"
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no >"$DATA/cgroup.conf"
}

conf_slurmdbd() {
    cat <<E
AuthType=auth/munge
AuthInfo=socket=$DATA/munge/socket
SlurmUser=slurm
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$(port slurmdbd)
CommunicationParameters=NoInAddrAny
PidFile=$DATA/run/slurmdbd.pid
LogFile=$LOG/slurmdbd.log
DebugLevel=info
CommitDelay=0
MessageTimeout=10
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$(port mariadbd)
StorageUser=slurm
StorageLoc=slurm_acct_db
StoragePass=$(cat "$DATA/mysql.secret")
E
}

conf_mariadb() {
    cat <<E
[mariadbd]
datadir=$DATA/mysql/data
socket=$DATA/mysql/sock
pid-file=$DATA/run/mariadbd.pid
log-error=$LOG/mariadbd.log
init-file=$DATA/mysql/init.sql
bind-address=127.0.0.1
port=$(port mariadbd)
user=mysql
skip-name-resolve
skip-log-bin
performance-schema=OFF
max-connections=50
innodb-buffer-pool-size=64M
innodb-log-file-size=16M
innodb-flush-log-at-trx-commit=0
innodb-lock-wait-timeout=900
E
}

# Run at each start of mariadbd, one statement a line.
conf_mariadb_init() {
    cat <<E
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@'127.0.0.1';
ALTER USER slurm@'127.0.0.1' IDENTIFIED BY '$(cat "$DATA/mysql.secret")';
GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';
E
}
