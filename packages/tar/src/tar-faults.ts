import { Fault } from '@waltz/errors'

/** Where in an archive something was found. */
export interface TarPlace {
  /** Bytes from the start of the archive. */
  readonly offset: number
  /** Name of the last member whose header was read; undefined before the first. */
  readonly lastMember: string | undefined
}

function describe(place: TarPlace): string {
  return place.lastMember === undefined ? `at byte ${place.offset}` : `at byte ${place.offset}, after ${JSON.stringify(place.lastMember)}`
}

function contextOf(place: TarPlace): Record<string, string | number> {
  return place.lastMember === undefined ? { offset: place.offset } : { offset: place.offset, lastMember: place.lastMember }
}

const HINT = 'The archive is not as it was written: use another copy, or another backup.'

/** A header that does not match its checksum, or contradicts itself. */
export function headerDamagedFault(place: TarPlace, what: string): Fault {
  return new Fault('corrupt', 'TAR_HEADER_DAMAGED', `the tar header ${describe(place)} is damaged: ${what}`, {
    hint: HINT,
    context: contextOf(place),
  })
}

/** The archive ends where more had to follow. */
export function tarTruncatedFault(place: TarPlace, expected: string): Fault {
  return new Fault('corrupt', 'TAR_TRUNCATED', `the tar ends ${describe(place)}, where ${expected} must follow`, {
    hint: HINT,
    context: contextOf(place),
  })
}

/** Something follows the end marker. */
export function tarTrailingFault(place: TarPlace): Fault {
  return new Fault('corrupt', 'TAR_TRAILING_BYTES', `bytes other than zero ${describe(place)}, behind the end marker of the tar`, {
    hint: HINT,
    context: contextOf(place),
  })
}

/** A member that other programs can read. */
export function memberUnsupportedFault(place: TarPlace, what: string): Fault {
  return new Fault('unsupported', 'TAR_MEMBER_UNSUPPORTED', `the tar member ${describe(place)} ${what}`, {
    hint: 'Unpack the archive with GNU tar.',
    context: contextOf(place),
  })
}
