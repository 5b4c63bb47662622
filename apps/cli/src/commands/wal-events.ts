import { isFault } from '@waltz/errors'
import type { WalArchiveEvent } from '@waltz/wal-archive'
import type { Log } from '../log.ts'

/** Tells what the WAL archive reports besides its results. */
export function logWalEvent(log: Log, event: WalArchiveEvent): void {
  switch (event.type) {
    case 'stored':
      return log.info(`FILE PATH: ${event.storedName}`)
    case 'already-stored':
      return log.info(`${event.name} is archived already, with the same content. FILE PATH: ${event.storedName}`)
    case 'identity-created':
      return log.info(`The archive now belongs to the cluster ${event.systemIdentifier}${doubt(event.evidence)}`)
    case 'encryption-noted':
      return log.info('The archive holds encrypted objects from now on; nothing is stored there without a key any more')
    case 'plaintext-among-encrypted':
      return log.warn('The archive holds encrypted objects; this one is stored as it is, because WALTZ_CRYPTO_PLAINTEXT_WRITES is allow')
    case 'replaced':
      return log.warn(`${event.storedName} was overwritten, because WALG_PREVENT_WAL_OVERWRITE is false`)
    case 'push-retried':
      return log.warn(
        `${event.name} could not be stored and is tried again: ${isFault(event.error) ? event.error.message : String(event.error)}`,
      )
    case 'hole-suspected':
      return log.warn(`${event.name} is missing although ${event.because}; looking again in ${event.waitMs} ms`)
    case 'first-record-unchecked':
      return log.warn(`The first record of ${event.name} could not be checked: the segment before is not in the archive`)
  }
}

function doubt(evidence: string): string {
  return evidence === 'unreadable' ? '; what it held before could not be read, so nobody knows whose that is' : ''
}
