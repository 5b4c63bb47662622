/** How much of something there is. */
export interface Amount {
  readonly objects: number
  /** As they are stored. */
  readonly bytes: number
}

/** Nothing. */
export const NO_AMOUNT: Amount = { objects: 0, bytes: 0 }

/** One object more. */
export function addObject({ objects, bytes }: Amount, size: number): Amount {
  return { objects: objects + 1, bytes: bytes + size }
}
