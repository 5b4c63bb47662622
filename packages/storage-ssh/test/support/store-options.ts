import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createByteBudget, type RetryPolicy } from '@waltz/storage'
import type { SshdFacts } from '@waltz/testkit'
import type { SshStoreOptions } from '../../src/options.ts'

export const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => pause(ms, undefined, signal === undefined ? {} : { signal })

export const retry: RetryPolicy = { maxAttempts: 3, baseDelayMs: 5, maxDelayMs: 20, random: () => 0.5, sleep }

export const surroundings: Pick<SshStoreOptions, 'retry' | 'budget' | 'now' | 'sleep' | 'randomHex'> = {
  retry,
  budget: createByteBudget(128 * 2 ** 20),
  now: () => new Date(),
  sleep,
  randomHex: (digits) => randomBytes(digits / 2).toString('hex'),
}

/** Options for the testkit's server, by its key. */
export function optionsFor(server: SshdFacts, root: string, more: Partial<SshStoreOptions> = {}): SshStoreOptions {
  return {
    ...surroundings,
    host: server.host,
    port: server.port,
    user: server.user,
    root,
    authentication: { privateKey: { text: server.privateKey } },
    hostKeys: { kind: 'known-hosts', files: [{ path: server.knownHostsFile, text: readFileSync(server.knownHostsFile, 'utf8') }] },
    ...more,
  }
}
