import type { Settings } from '@waltz/settings'
import {
  createObjectBody,
  openPutBody,
  withPrefix,
  withRetry,
  type MaintainedStore,
  type ObjectBody,
  type ObjectStore,
  type RateLimit,
  type StoreMaintenance,
} from '@waltz/storage'
import type { Backend } from './open-backend.ts'
import type { StorageContext } from './storage-context.ts'
import { retryPolicyFor, retrySettingsFor, type RetrySettings } from './storage-retry.ts'

/** A backend as commands use it: the shared rate limit, retries, and keys below the prefix, in this order. */
export function repositoryView({ kind, name, store, prefix }: Backend, settings: Settings, context: StorageContext): ObjectStore {
  const limited = context.rate === undefined ? store : withSharedRate(store, context.rate)
  const patient = withRetries(limited, retrySettingsFor(kind, settings), { name, context })
  return prefix === '' ? patient : withPrefix(patient, `${prefix}/`)
}

/** The same for a question whose answer decides whether a storage is used at all: no retries, no limit. */
export function impatientView({ store, prefix }: Backend): ObjectStore {
  return prefix === '' ? store : withPrefix(store, `${prefix}/`)
}

function withRetries(
  store: ObjectStore,
  retry: RetrySettings,
  { name, context }: { readonly name: string; readonly context: StorageContext },
): ObjectStore {
  const patient = withRetry(store, retryPolicyFor(retry, name, context))
  if (retry.maxReadRetries === undefined) return patient
  const reading = withRetry(store, retryPolicyFor({ ...retry, maxRetries: retry.maxReadRetries }, name, context))
  return { ...patient, get: (key, options) => reading.get(key, options) }
}

/** Holds bodies back until a rate that others share allows them. */
export function withSharedRate(store: ObjectStore, rate: RateLimit): ObjectStore {
  return {
    ...store,
    async get(key, options) {
      return throttled(await store.get(key, options), (bytes) => rate(bytes, options?.signal))
    },
    async put(key, body, options) {
      const source = openPutBody(key, body, options)
      async function* metered(): AsyncGenerator<Uint8Array> {
        for await (const chunk of source) {
          await rate(chunk.length, options?.signal)
          yield chunk
        }
      }
      try {
        return await store.put(key, metered(), options)
      } catch (error) {
        await source.close() // a generator that was never pulled does not close what it reads
        throw error
      }
    },
  }
}

function throttled(body: ObjectBody, pass: (bytes: number) => Promise<void>): ObjectBody {
  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await pass(chunk.length)
      yield chunk
    }
  }
  return createObjectBody({ info: body.info, read, close: async () => body[Symbol.asyncDispose]() })
}

/** Maintenance of a backend with keys as `repositoryView` has them. */
export function maintenanceView({ maintenance }: MaintainedStore, prefix: string): StoreMaintenance {
  if (prefix === '') return maintenance
  const folder = `${prefix}/`
  const inner = <Entry extends { readonly key: string }>(entry: Entry): Entry => ({ ...entry, key: entry.key.slice(folder.length) })
  const outer = <Entry extends { readonly key: string }>(entry: Entry): Entry => ({ ...entry, key: folder + entry.key })
  return {
    async *unfinishedUploads(below, options) {
      for await (const upload of maintenance.unfinishedUploads(folder + below, options)) yield inner(upload)
    },
    abandonUpload: (upload, options) => maintenance.abandonUpload(outer(upload), options),
    async *versions(below, options) {
      for await (const version of maintenance.versions(folder + below, options)) yield inner(version)
    },
    deleteVersions: (versions, options) => maintenance.deleteVersions([...versions].map(outer), options),
  }
}
