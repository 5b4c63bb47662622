import { Fault } from '@waltz/errors'

/** The fault for a rule, or a part of one, that cannot be understood. */
export const invalidRule = (part: unknown, cause?: unknown): Fault =>
  new Fault('invalid', 'RETENTION_RULE_INVALID', `not a retention rule: "${String(part)}"`, {
    hint: 'Rules look like last=7 or archive(monthly=12)',
    cause,
  })
