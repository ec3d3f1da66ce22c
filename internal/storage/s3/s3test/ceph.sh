# ceph.sh DIR MON MON1 GATEWAY KEY: Ceph's radosgw with one daemon of each kind, all in memory.
# It says "ready" when there is an empty bucket "bucket", and ends all of them when it is ended.
set -e
cd "$1"
mkdir mon osd mgr run log rgw
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
mons="[v2:127.0.0.1:$2,v1:127.0.0.1:$3]"
export CEPH_CONF="$1/ceph.conf"
cat >ceph.conf <<C
[global]
fsid = $fsid
mon host = $mons
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 8589934592
run dir = $1/run
admin socket =
log file = $1/log/\$name.log
keyring = $1/keyring
mon data = $1/mon
osd data = $1/osd
mgr data = $1/mgr
rgw data = $1/rgw
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:$4
C
pids=
trap 'kill -9 $pids; wait' EXIT # radosgw does not end without the others
trap 'exit 1' TERM
key() { ceph-authtool keyring --gen-key -n "$@" >/dev/null; }
ceph-authtool -C keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key mgr.a --cap mon 'allow *' --cap osd 'allow *'
key osd.0 --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
key client.rgw.a --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
monmaptool --create --addv a "$mons" --fsid "$fsid" map >/dev/null
ceph-mon -i a --mkfs --monmap map --keyring keyring
ceph-mon -i a -f >/dev/null 2>&1 &
pids="$pids $!"
ceph osd new "$osd" >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >/dev/null 2>&1
ceph osd crush add osd.0 1.0 root=default host=h >/dev/null 2>&1
ceph-osd -i 0 -f >/dev/null 2>&1 &
pids="$pids $!"
ceph-mgr -i a -f >/dev/null 2>&1 &
pids="$pids $!"
radosgw -n client.rgw.a -f >/dev/null 2>&1 &
pids="$pids $!"
radosgw-admin -n client.rgw.a user create --uid=t --display-name=t --access-key="$5" --secret-key="$5" >/dev/null 2>&1
until curl -sf -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 aws:amz:us-east-1:s3 -u "$5:$5" -X PUT "http://127.0.0.1:$4/bucket"; do sleep 0.3; done
echo ready
wait
