import { missingForAzurite, startAzurite, useAzurite, type Azurite, type AzuriteFacts } from './azurite.ts'
import { missingForRadosgw, startRadosgw, useRadosgw, type Radosgw, type RadosgwFacts } from './radosgw.ts'
import { missingForSshd, startSshd, useSshd, type Sshd, type SshdFacts } from './sshd.ts'
import type { ServerFacts, ServerOwner, ServerUse } from './start-server.ts'
import { missingForSwift, startSwift, useSwift, type Swift, type SwiftFacts } from './swift.ts'

/** The servers that tests share, by name. */
export interface SharedServers {
  readonly radosgw: Radosgw
  readonly swift: Swift
  readonly azurite: Azurite
  readonly sshd: Sshd
  /** A second one, which lets in by a password too. */
  readonly 'sshd-password': Sshd
}

export type SharedServerName = keyof SharedServers

interface Kind<Facts extends ServerFacts, Use extends Facts & ServerUse> {
  /** What it takes to have it. */
  readonly install: string
  missing(): readonly string[]
  start(): Promise<Use & ServerOwner>
  use(facts: Facts): Use
}

interface Kinds {
  readonly radosgw: Kind<RadosgwFacts, Radosgw>
  readonly swift: Kind<SwiftFacts, Swift>
  readonly azurite: Kind<AzuriteFacts, Azurite>
  readonly sshd: Kind<SshdFacts, Sshd>
  readonly 'sshd-password': Kind<SshdFacts, Sshd>
}

const debian = (packages: string): string => `apt-get install --no-install-recommends ${packages}`
const sshPackages = debian('openssh-server libnss-wrapper')

/** How each of them is started, and what it needs. */
export const sharedKinds: Kinds = {
  radosgw: {
    install: debian('radosgw ceph-mon ceph-osd ceph-mgr ceph-common'),
    missing: missingForRadosgw,
    start: startRadosgw,
    use: useRadosgw,
  },
  swift: {
    install: debian('swift-proxy swift-account swift-container swift-object memcached'),
    missing: missingForSwift,
    start: startSwift,
    use: useSwift,
  },
  azurite: { install: 'npm run setup', missing: missingForAzurite, start: startAzurite, use: useAzurite },
  sshd: { install: sshPackages, missing: () => missingForSshd(), start: () => startSshd(), use: useSshd },
  'sshd-password': {
    install: sshPackages,
    missing: () => missingForSshd({ password: true }),
    start: () => startSshd({ password: true }),
    use: useSshd,
  },
}

/** Whether a text is the name of such a server. */
export function isSharedServerName(name: string): name is SharedServerName {
  return Object.hasOwn(sharedKinds, name)
}
