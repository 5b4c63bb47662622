import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createByteBudget, type MaintainedStore, type RetryPolicy, type Sleep } from '@waltz/storage'
import { sharedServer, type SwiftAccount } from '@waltz/testkit'
import { createSwiftStore, type SwiftStoreOptions } from '../../src/index.ts'

/** Real waiting. */
export const sleep: Sleep = async (ms, signal) => {
  await setTimeout(ms, undefined, { ...(signal === undefined ? {} : { signal }), ref: false })
}

/** Attempts without long waits. */
export const quickly: RetryPolicy = { maxAttempts: 4, baseDelayMs: 1, maxDelayMs: 5, random: () => 0.5, sleep }

/** What every store is made from. */
export function commonOptions(): Omit<SwiftStoreOptions, 'auth' | 'container'> {
  return {
    retry: quickly,
    budget: createByteBudget(128 * 2 ** 20),
    now: () => new Date(),
    sleep,
    randomHex: (digits) => randomBytes(digits).toString('hex').slice(0, digits),
  }
}

/** A store in a container of a server that logs in by version 1. */
export function swiftStore(account: SwiftAccount, options: Partial<SwiftStoreOptions> & { readonly container: string }): MaintainedStore {
  const auth = { url: account.authUrl, user: account.user, password: account.key }
  return createSwiftStore({ auth, ...commonOptions(), ...options })
}

/** A server that speaks Swift, or the reason why it is not there. */
export interface SwiftServer {
  readonly title: string
  readonly missing: string | undefined
  account(): SwiftAccount
  container(): Promise<string>
}

/** Debian's Swift and radosgw. */
export async function swiftServers(): Promise<readonly SwiftServer[]> {
  const [swift, radosgw] = [await sharedServer('swift'), await sharedServer('radosgw')]
  return [
    { title: swift.title, missing: swift.missing, account: () => swift.server, container: () => swift.server.createContainer() },
    {
      title: `${radosgw.title}, Swift v1`,
      missing: radosgw.missing,
      account: () => radosgw.server.swift,
      container: () => radosgw.server.createContainer(),
    },
  ]
}
