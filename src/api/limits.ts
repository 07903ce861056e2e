/**
 * Limits on input. They are the same on every backend, so all of them accept the same sets.
 */

/**
 * Resources in one set, at most; a longer set is a {@link LimitError}.
 *
 * @since 0.1.0
 */
export const setSizeMax = 65_536;

/**
 * Length of a resource's name, at most, in UTF-16 code units, as `name.length` counts.
 *
 * @since 0.1.0
 */
export const nameLengthMax = 65_536;

/**
 * Length of a label, at most, in UTF-16 code units.
 *
 * @since 0.1.0
 */
export const labelLengthMax = 1024;
