import type { ByteSource } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import type { ObjectBody, ObjectInfo, ObjectStore } from '@waltz/storage'

/** The calls of a store that a plan can disturb. */
export type StoreOperation = 'head' | 'get' | 'put' | 'delete' | 'list' | 'listGroups' | 'copy'

/** What happens instead of, or on top of, the call. */
export type Disturbance =
  /** Rejects; `unavailable` unless a fault is given. */
  | { readonly kind: 'fail'; readonly fault?: () => Error }
  /** Waits, then does as it was asked. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The body of a get or put breaks off after so many bytes: with a fault, or (get only) silently, as if it ended. */
  | { readonly kind: 'cut'; readonly afterBytes: number; readonly silently?: boolean }
  /** One byte of the body of a get or put is inverted. */
  | { readonly kind: 'corrupt'; readonly atByte: number }

/** Which calls are disturbed, and how. */
export interface FaultRule {
  readonly operation: StoreOperation
  /** Only keys (or prefixes of listings) that match. */
  readonly key?: RegExp
  /** Only this matching call, counted from 1; without it every one. */
  readonly nth?: number
  /** Only the first so many matching calls. */
  readonly times?: number
  readonly action: Disturbance
}

/** What goes wrong with a store. */
export interface FaultPlan {
  readonly rules?: readonly FaultRule[]
  /** The process "dies" at this mutation, counted from 1: it and every later call fails. */
  readonly crashAtMutation?: number
  /** Whether that mutation still happens (its caller never hears of it). */
  readonly crashMoment?: 'before' | 'after'
}

/** One change that was asked for. */
export interface Mutation {
  readonly operation: 'put' | 'delete' | 'copy'
  readonly key: string
  /** Whether it took place. */
  done: boolean
}

/** A store that misbehaves as planned. */
export interface FaultStore extends ObjectStore {
  /** Every mutation so far, in the order of their calls: the crash points of a sweep. */
  readonly mutations: readonly Mutation[]
  /** How often each operation was called. */
  readonly calls: Readonly<Record<StoreOperation, number>>
  readonly crashed: () => boolean
}

/** Wraps `store` so that it fails, stalls, cuts, corrupts or dies as `plan` says, and keeps a log of mutations. */
export function faultStore(store: ObjectStore, plan: FaultPlan = {}): FaultStore {
  const mutations: Mutation[] = []
  const calls: Record<StoreOperation, number> = { head: 0, get: 0, put: 0, delete: 0, list: 0, listGroups: 0, copy: 0 }
  const seen = new Map<FaultRule, number>()
  let crashed = false

  const enter = async (operation: StoreOperation, key: string): Promise<readonly Disturbance[]> => {
    calls[operation] += 1
    if (crashed) throw crashFault()
    const active: Disturbance[] = []
    for (const rule of plan.rules ?? []) if (applies(rule, operation, key, seen)) active.push(rule.action)
    for (const action of active) {
      if (action.kind === 'delay') await new Promise((wake) => setTimeout(wake, action.ms))
      if (action.kind === 'fail') throw action.fault?.() ?? new Fault('unavailable', 'TEST_FAULT', `planned failure of ${operation} ${key}`)
    }
    return active
  }
  const mutate = async <Result>(operation: Mutation['operation'], key: string, act: () => Promise<Result>): Promise<Result> => {
    const mutation: Mutation = { operation, key, done: false }
    mutations.push(mutation)
    const dies = mutations.length === plan.crashAtMutation
    if (dies) crashed = true
    if (crashed && !(dies && plan.crashMoment === 'after')) throw crashFault()
    const result = await act()
    mutation.done = true
    if (crashed) throw crashFault()
    return result
  }
  async function* listing<Item>(operation: 'list' | 'listGroups', prefix: string, items: () => AsyncIterable<Item>): AsyncGenerator<Item> {
    await enter(operation, prefix)
    for await (const item of items()) {
      if (crashed) throw crashFault()
      yield item
    }
  }

  return {
    capabilities: store.capabilities,
    location: store.location,
    mutations,
    calls,
    crashed: () => crashed,
    head: async (key, options) => {
      await enter('head', key)
      return store.head(key, options)
    },
    get: async (key, options) => {
      const active = await enter('get', key)
      return disturbedBody(await store.get(key, options), active)
    },
    put: async (key, body, options) => {
      const active = await enter('put', key)
      return mutate('put', key, () => store.put(key, disturbed(body, active), options))
    },
    delete: async (keys, options) => {
      const all = [...keys]
      await enter('delete', all.join(' '))
      for (const key of all) await mutate('delete', key, () => store.delete([key], options))
    },
    list: (prefix, options) => listing('list', prefix, () => store.list(prefix, options)),
    listGroups: (prefix, options) => listing('listGroups', prefix, () => store.listGroups(prefix, options)),
    copy: async (from, to, options) => {
      await enter('copy', from)
      await mutate('copy', to, () => store.copy(from, to, options))
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

function applies(rule: FaultRule, operation: StoreOperation, key: string, seen: Map<FaultRule, number>): boolean {
  if (rule.operation !== operation || rule.key?.test(key) === false) return false
  const count = (seen.get(rule) ?? 0) + 1
  seen.set(rule, count)
  return (rule.nth === undefined || count === rule.nth) && (rule.times === undefined || count <= rule.times)
}

function crashFault(): Fault {
  return new Fault('unavailable', 'TEST_CRASHED', 'the planned crash has happened', { retryable: false })
}

async function* disturbed(source: ByteSource, active: readonly Disturbance[]): AsyncGenerator<Uint8Array> {
  let offset = 0
  for await (const chunk of source) {
    let bytes = chunk
    for (const action of active) {
      if (action.kind === 'corrupt' && action.atByte >= offset && action.atByte < offset + chunk.length) {
        bytes = Uint8Array.from(bytes)
        const at = action.atByte - offset
        bytes[at] = (bytes[at] ?? 0) ^ 0xff
      }
      if (action.kind === 'cut' && offset + chunk.length >= action.afterBytes) {
        const rest = bytes.subarray(0, Math.max(0, action.afterBytes - offset))
        if (rest.length > 0) yield rest
        if (action.silently === true) return
        throw new Fault('unavailable', 'TEST_FAULT', `planned cut after ${action.afterBytes} bytes`)
      }
    }
    offset += chunk.length
    yield bytes
  }
}

function disturbedBody(body: ObjectBody, active: readonly Disturbance[]): ObjectBody {
  if (active.every((action) => action.kind === 'delay')) return body
  return {
    info: body.info satisfies ObjectInfo,
    [Symbol.asyncIterator]: () => disturbed(body, active),
    [Symbol.asyncDispose]: () => body[Symbol.asyncDispose](),
  }
}
