import type { KitSurroundings } from '@waltz/backup-kit'
import type { Log } from './log.ts'

type Observe = NonNullable<KitSurroundings['observe']>

/** Logs what storages, and the opening of objects, tell, whatever the command is, and passes everything on. */
export function withStorageLog(log: Log, observe: Observe | undefined): Observe {
  return (event) => {
    switch (event.type) {
      case 'storage-retry': {
        const { operation, key, storage, attempt, delayMs, reason } = event
        log.warn(`storage ${storage}: ${operation} ${key} failed and is tried again in ${delayMs} ms (attempt ${attempt}): ${reason}`)
        break
      }
      case 'storage-chosen':
        log.info(`storage ${event.storage} is written to: ${event.why}`)
        break
      case 'storage-warning':
        log.warn(`storage ${event.storage}: ${event.message}`)
        break
      case 'plaintext-read':
        log.warn(`an object that is not encrypted (${event.framing}) is read, because WALTZ_CRYPTO_PLAINTEXT_READS is allow`)
        break
      case 'stale-key':
        log.warn(`the key service does not answer, so the key that it gave before is used on (${event.scheme}): ${event.reason}`)
        break
      default:
    }
    observe?.(event)
  }
}
