import { untilAborted } from '@waltz/storage'
import { withoutSlash, type Login } from './catalogue.ts'
import type { Surroundings } from './exchange.ts'
import { login } from './login.ts'
import type { SwiftAuth } from './options.ts'

/** The login of one store. Tokens never leave it but to the requests. */
export interface Session {
  /** The login at hand; logs in where there is none, or where it is about to end. All who wait share one request. */
  current(signal: AbortSignal | undefined): Promise<Login>
  /**
   * What to use after the server refused `refused`: the newer login where somebody else was faster, otherwise a new one. Undefined
   * where none can be had.
   */
  renewed(refused: Login, signal: AbortSignal | undefined): Promise<Login | undefined>
  /** Breaks off a login under way. */
  close(): void
}

/** A token is renewed so long before it ends, or when nine tenths of its life are over. */
const MARGIN_MS = 60_000
const MARGIN_PART = 0.1

interface PendingLogin {
  readonly login: Promise<Login>
  waiting: number
  /** Ends it, unless it has ended. */
  leave(): void
}

/** A session that logs in at its first use. */
export function createSession(around: Surroundings, auth: SwiftAuth): Session {
  const closing = new AbortController()
  const canLogIn = auth.url !== undefined && (auth.password !== undefined || auth.applicationCredential !== undefined)
  let held: Login | undefined = givenLogin(auth)
  let renewAtMs: number | undefined
  let pending: PendingLogin | undefined

  const hold = (fresh: Login): Login => {
    const now = around.now().getTime()
    const lifeMs = fresh.expiresAtMs === undefined ? 0 : fresh.expiresAtMs - now
    // A token that seems to have ended already says that the clocks differ: then only a refusal tells.
    renewAtMs = lifeMs > 0 ? now + lifeMs - Math.min(MARGIN_MS, lifeMs * MARGIN_PART) : undefined
    held = fresh
    return fresh
  }

  // One request for all who wait; it ends when the last of them leaves.
  const logIn = async (signal: AbortSignal | undefined): Promise<Login> => {
    pending ??= startLogin()
    const mine = pending
    mine.waiting += 1
    try {
      return await untilAborted(mine.login, signal)
    } finally {
      mine.waiting -= 1
      if (mine.waiting === 0) mine.leave()
    }
  }
  const startLogin = (): PendingLogin => {
    const left = new AbortController()
    const signal = AbortSignal.any([left.signal, closing.signal])
    const started: PendingLogin = {
      waiting: 0,
      login: login(around, auth, signal).then(hold),
      leave() {
        left.abort()
        if (pending === started) pending = undefined
      },
    }
    started.login.catch(() => undefined) // whoever asked may have left
    return started
  }
  const endsSoon = (): boolean => renewAtMs !== undefined && renewAtMs <= around.now().getTime()
  return {
    async current(signal) {
      if (held !== undefined && !(canLogIn && endsSoon())) return held
      return logIn(signal)
    },
    async renewed(refused, signal) {
      if (held !== undefined && held !== refused) return held
      return canLogIn ? logIn(signal) : undefined
    },
    close: () => closing.abort(),
  }
}

function givenLogin({ token, storageUrl }: SwiftAuth): Login | undefined {
  return token === undefined || storageUrl === undefined
    ? undefined
    : { token, storageUrl: withoutSlash(storageUrl), expiresAtMs: undefined }
}
