import { Fault } from '@waltz/errors'
import { listNames, type Settings } from '@waltz/settings'
import type { AlivenessLimits } from './aliveness.ts'

/** The settings of SET 3.8 and 6, checked together. */
export interface FailoverSettings {
  readonly check: boolean
  readonly checkTimeoutMs: number
  readonly checkBytes: number
  readonly cacheLifetimeMs: number
  readonly limits: AlivenessLimits
  readonly ignored: readonly string[]
  /** The one storage to work with; undefined when any will do. */
  readonly target: string | undefined
}

/** Names that mean any storage rather than a certain one. */
const ANY: readonly string[] = ['', 'all', 'any']

/**
 * Puts the settings for several storages together.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` for numbers that exclude each other (SET 3.8).
 */
export function failoverSettings(settings: Settings, targetStorage: string | undefined = settings.targetStorage): FailoverSettings {
  return {
    check: settings.failoverStoragesCheck,
    checkTimeoutMs: settings.failoverStoragesCheckTimeout,
    checkBytes: settings.failoverStoragesCheckSize,
    cacheLifetimeMs: settings.failoverStoragesCacheLifetime,
    limits: checkedLimits({
      aliveLimit: settings.failoverStoragesCacheEmaAliveLimit,
      deadLimit: settings.failoverStoragesCacheEmaDeadLimit,
      alphaAliveMax: settings.failoverStoragesCacheEmaAlphaAliveMax,
      alphaAliveMin: settings.failoverStoragesCacheEmaAlphaAliveMin,
      alphaDeadMax: settings.failoverStoragesCacheEmaAlphaDeadMax,
      alphaDeadMin: settings.failoverStoragesCacheEmaAlphaDeadMin,
    }),
    ignored: listNames(settings.failoverIgnore),
    target: targetStorage === undefined || ANY.includes(targetStorage) ? undefined : targetStorage,
  }
}

const PREFIX = 'WALG_FAILOVER_STORAGES_CACHE_EMA_'

function checkedLimits(limits: AlivenessLimits): AlivenessLimits {
  const { aliveLimit, deadLimit, alphaAliveMax, alphaAliveMin, alphaDeadMax, alphaDeadMin } = limits
  if (Object.values(limits).some((value) => !(value > 0 && value < 1)))
    throw limitsFault(`the settings ${PREFIX}* must lie between 0 and 1`)
  if (aliveLimit < deadLimit) throw limitsFault(`${PREFIX}ALIVE_LIMIT is below ${PREFIX}DEAD_LIMIT`)
  if (alphaAliveMax < alphaAliveMin) throw limitsFault(`${PREFIX}ALPHA_ALIVE_MAX is below ${PREFIX}ALPHA_ALIVE_MIN`)
  if (alphaDeadMax < alphaDeadMin) throw limitsFault(`${PREFIX}ALPHA_DEAD_MAX is below ${PREFIX}ALPHA_DEAD_MIN`)
  return limits
}

function limitsFault(message: string): Fault {
  return new Fault('invalid', 'STORAGE_SETTING_INVALID', message, { hint: 'correct them, or leave all of them out' })
}
