import { randomBytes, randomUUID } from 'node:crypto'
import { programExists } from '../binaries.ts'
import { signedS3Request } from './s3-request.ts'
import type { ServerHome } from './server-home.ts'
import { freePorts } from './sockets.ts'
import { logsOf, startServer, type ServerFacts, type ServerOwner, type ServerUse } from './start-server.ts'
import { createSwiftContainer, type SwiftAccount } from './swift-request.ts'

/** Keys of an S3 user. */
export interface S3Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What a client needs to know of radosgw, which speaks S3 and Swift v1. Path style; any region is accepted. */
export interface RadosgwFacts extends ServerFacts, S3Keys {
  readonly endpoint: string
  readonly region: string
  readonly storageClasses: readonly string[]
  /** Names of keys for `aws:kms`; they are accepted without TLS. */
  readonly kmsKeyIds: readonly string[]
  /** The user the keys belong to, as a bucket policy names it. */
  readonly userArn: string
  /** Another user, who may do nothing in the first one's buckets until a policy lets it. */
  readonly other: S3Keys & { readonly userArn: string }
  /** The same objects, by Swift v1; its containers are the buckets. */
  readonly swift: SwiftAccount
}

/** A radosgw to work with. */
export interface Radosgw extends RadosgwFacts, ServerUse {
  /** Makes a bucket of a random name (or the given one) and returns the name. */
  createBucket(options?: { readonly name?: string; readonly objectLock?: boolean }): Promise<string>
  /** Makes a container of a random name (or the given one) in the Swift account and returns the name. */
  createContainer(name?: string): Promise<string>
}

const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool']
const KMS_KEYS = {
  'testkey-1': 'YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=',
  'testkey-2': 'aWIKTWFrZWZpbGUKbWFuCm91dApzcmMKVGVzdGluZwo=',
}
const USER = { accessKeyId: 'TESTKEY', secretAccessKey: 'testsecret' }
const OTHER = { accessKeyId: 'OTHERKEY', secretAccessKey: 'othersecret' }

/** Programs that are missing for it. */
export function missingForRadosgw(): readonly string[] {
  return PROGRAMS.filter((name) => !programExists(`/usr/bin/${name}`))
}

/**
 * Starts a monitor, an object store that keeps everything in memory (8 GiB at most), and the gateway before them.
 * @throws Error with the logs when they do not start.
 */
export async function startRadosgw(): Promise<Radosgw & ServerOwner> {
  const { facts, owner } = await startServer('radosgw', build)
  return { ...useRadosgw(facts), ...owner }
}

/** Adds to the facts what can be done by them. */
export function useRadosgw(facts: RadosgwFacts): Radosgw {
  return {
    ...facts,
    logs: () => logsOf(facts),
    createBucket: async ({ name = `bucket-${randomBytes(6).toString('hex')}`, objectLock = false } = {}) => {
      const headers = objectLock ? { 'x-amz-bucket-object-lock-enabled': 'true' } : {}
      await signedS3Request(facts, { method: 'PUT', path: `/${name}`, headers })
      return name
    },
    createContainer: (name) => createSwiftContainer(facts.swift, name),
  }
}

async function build(home: ServerHome): Promise<RadosgwFacts> {
  const [monitorPort = 0, gatewayPort = 0] = await freePorts(2)
  for (const name of ['mon', 'osd', 'rgw', 'run']) home.makeFolder(name)
  const cluster = randomUUID()
  const configuration = home.write('ceph.conf', cephConfiguration(home.path, cluster, { monitorPort, gatewayPort }))
  const env = { CEPH_CONF: configuration }
  const run = (program: string, ...args: readonly string[]): Promise<string> => home.run(`/usr/bin/${program}`, args, env)
  const start = (program: string, ...args: readonly string[]): ReturnType<ServerHome['start']> =>
    home.start(program, `/usr/bin/${program}`, ['-f', '-c', configuration, ...args], env)

  const keyring = `${home.path}/keyring`
  const all = ['mon', 'osd', 'mgr'].flatMap((service) => ['--cap', service, 'allow *'])
  await run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
  await run('ceph-authtool', keyring, '--gen-key', '-n', 'client.admin', ...all)
  const map = `${home.path}/monmap`
  await run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, map)
  await run('ceph-mon', '-c', configuration, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring)
  const monitor = start('ceph-mon', '-i', 'a')
  await home.until('the monitor', () => monitor.listensOn(monitorPort))

  const disk = randomUUID()
  await run('ceph', '-c', configuration, 'osd', 'new', disk)
  await run('ceph-osd', '-c', configuration, '-i', '0', '--mkfs', '--osd-uuid', disk)
  const osd = start('ceph-osd', '-i', '0')
  await createUsers((...args) => run('radosgw-admin', '-c', configuration, ...args))
  const gateway = start('radosgw', '-n', 'client.rgw')
  const endpoint = `http://127.0.0.1:${gatewayPort}`
  await home.until('the gateway', async () => (await gateway.listensOn(gatewayPort)) && answers(endpoint))
  return {
    folder: home.path,
    pids: [monitor.pid, osd.pid, gateway.pid],
    ports: [gatewayPort, monitorPort],
    endpoint,
    region: 'us-east-1',
    ...USER,
    storageClasses: ['STANDARD', 'STANDARD_IA'],
    kmsKeyIds: Object.keys(KMS_KEYS),
    userArn: 'arn:aws:iam:::user/test',
    other: { ...OTHER, userArn: 'arn:aws:iam:::user/other' },
    swift: { authUrl: `${endpoint}/auth/v1.0`, user: 'test:swift', key: 'swiftsecret' },
  }
}

/** The storage class comes after the first user: the zone that it belongs to is made along with that one. */
async function createUsers(admin: (...args: readonly string[]) => Promise<string>): Promise<void> {
  const keys = ({ accessKeyId, secretAccessKey }: S3Keys): string[] => [`--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`]
  await admin('user', 'create', '--uid=test', '--display-name=test', ...keys(USER))
  await admin('subuser', 'create', '--uid=test', '--subuser=test:swift', '--access=full', '--secret-key=swiftsecret', '--key-type=swift')
  await admin('user', 'create', '--uid=other', '--display-name=other', ...keys(OTHER))
  const placement = ['placement', 'add', '--placement-id=default-placement', '--storage-class=STANDARD_IA']
  await admin('zonegroup', ...placement, '--rgw-zonegroup=default')
  await admin('zone', ...placement, '--rgw-zone=default', '--data-pool=default.rgw.buckets.data')
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(endpoint, { signal: AbortSignal.timeout(5000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

function cephConfiguration(
  home: string,
  cluster: string,
  { monitorPort, gatewayPort }: { readonly monitorPort: number; readonly gatewayPort: number },
): string {
  // Clients refuse to talk to this gateway without `crc`, and without `tcp_nodelay` a read takes 44 ms. The paxos intervals make
  // the start take seconds less. Deleted space comes back by collection only, which is told to begin at once.
  const modes = ['ms mon client mode', 'ms mon service mode', 'ms mon cluster mode', 'ms cluster mode', 'ms service mode', 'ms client mode']
  return `[global]
fsid = ${cluster}
mon host = v2:127.0.0.1:${monitorPort}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd pool default pg num = 4
osd pool default pgp num = 4
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
paxos propose interval = 0.02
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 8589934592
osd max object name len = 2048
osd max object namespace len = 256
${modes.map((mode) => `${mode} = crc`).join('\n')}
run dir = ${home}/run
log file = ${home}/log/$name.log
pid file = ${home}/run/$name.pid
admin socket = ${home}/run/$name.$pid.asok
crash dir = ${home}/run
mon data = ${home}/mon
osd data = ${home}/osd
osd journal = ${home}/osd/journal
keyring = ${home}/keyring
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw data = ${home}/rgw
rgw enable usage log = false
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = ${Object.entries(KMS_KEYS)
    .map(([name, key]) => `${name}=${key}`)
    .join(' ')}
rgw lc debug interval = 10
rgw gc obj min wait = 1
rgw gc processor period = 2
`
}
