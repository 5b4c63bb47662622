declare const WALTZ_VERSION: string | undefined
declare const WALTZ_COMMIT: string | undefined

/** Set by the build; `devel` when run from sources. */
export const version: string = typeof WALTZ_VERSION === 'string' ? WALTZ_VERSION : 'devel'
/** The commit that was built; `devel` when run from sources. */
export const commit: string = typeof WALTZ_COMMIT === 'string' ? WALTZ_COMMIT : 'devel'
