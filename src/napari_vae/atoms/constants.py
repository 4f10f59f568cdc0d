"""Every number by which atoms are found, placed and followed, stage by stage, in one place.

A line says what its number does, and after a dash where it is from, if that is more than trial: all others were chosen
by hand, so that the same defaults serve simulated images and the labelled real ones. What a change does is shown by
``python benchmarks/detection.py`` (with the labels and the matching in ``benchmarks/truth``), unless the stage names
another. What decides only speed or memory stays beside its code, and so does what the weights of the learned detector
were trained with.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Constants:
    """Numbers of detection; lengths in column widths (σ), spacings, or pixels (px).

    Examples
    --------
    >>> FIXED.filter_window
    2.0
    """

    # Damage of the scan (damage.py); tests/atoms/test_damage.py.
    damage_fewest_lines: int = 16  # recorded lines without which there is nothing to mend from
    damage_most_repeated: float = 0.5  # of the lines; a picture of stripes repeats them all
    damage_sharp: float = 3.0  # a defect over its nearest pixels, in which a column of any width shows
    damage_clear: float = 10.0  # a defect over the noise
    damage_around: float = 0.02  # of a Gaussian around a lost pixel that must lie on others, to fill it from these
    damage_typical: float = 0.98  # of the pixels, which are taken for free of defects
    damage_most_defects: float = 0.005  # of the pixels; where more stand alone, they are electrons that were counted

    # Background (levelling.py); tests/atoms/test_levelling.py.
    level_width: float = 1.2  # spacings, σ of the blur
    level_rounds: int = 8  # of it: half of what repeats after three spacings stays, all that repeats after two
    level_some: float = 0.3  # share of the variance of brightness that is background - latents follow it from there
    level_done: float = 0.15  # of it that may be left; images without background have up to 0.1
    level_pixels: float = 8.0  # per spacing, to which frames are binned to choose
    level_around: float = 0.6  # spacings, σ of what is around a column
    level_fine: float = 0.12  # spacings, σ that leaves columns and what is between them apart
    level_ring: tuple[float, float] = (1.6, 2.75)  # spacings to neighbours that have no pixels in common
    level_columns: float = 0.3  # of their squared contrast: more variance than columns make, at 10 % foreign ones 0.2
    level_fewest: int = 50  # pairs of neighbours that say something
    level_slowest: float = 16.0  # per side of a frame: spacings that are assumed before the columns are known
    level_reweighted: int = 8  # fits of the plane, towards that of least absolute distances
    level_uneven: float = 8.0  # times the variance of quick waves along columns, from where rows are uneven
    level_strong: float = 0.005  # of the variance of the frame: less pulls at positions as little as what is subtracted
    level_usual: int = 15  # frequencies whose median power is the usual one
    level_peak: float = 12.0  # times that: a wave of a lattice - one in 4000 of noise is as strong
    level_longest: float = 4.0  # spacings, the longest such wave
    level_wave: float = 60.0  # times the lower quarter of the power around, waves of a moiré - noise has up to 50
    level_periods: float = 3.0  # of them in a frame, at least
    level_wave_pixels: float = 4.0  # per spacing, to which frames are binned to look for them

    # Scale (estimates.py, hypotheses.py); tests/atoms/test_lattice.py.
    scale_isolated: float = 5.0  # σ, spacing of isolated columns: where two of them just stand apart
    scale_narrowest: float = 0.1  # of a spacing that the user gave, least σ
    scale_widest: float = 0.25  # of that spacing, largest σ

    # Hypotheses (hypotheses.py, choice.py); on simulated images of the kinds in tests/atoms/kinds.py, unless said.
    hypothesis_narrowest: float = 0.9  # px, σ; a narrower spot is one pixel - Nyquist
    hypothesis_step: float = 1.35  # from one σ to the next, which loses 2 % of a score at most
    hypothesis_widest: float = 24.0  # widths at least along the smaller side of a part, to hold dozens of columns
    hypothesis_pixels: float = 3.0  # per σ, to which parts are binned
    hypothesis_frames: int = 3  # of a movie that take part
    hypothesis_side: int = 256  # px, of the parts of a frame that take part: enough columns, alike enough
    hypothesis_whole: float = 1.25  # sides up to which a frame is one part
    hypothesis_parts: int = 4  # of a frame, or of a movie if it has fewer frames
    hypothesis_fine: float = 16.0  # px, σ of the blur beyond which contrast is background
    hypothesis_same: float = 0.2  # of the nearest-neighbour distance, within which two spots are the same
    hypothesis_fewest: int = 3  # spots without which nothing can be said
    hypothesis_chance: float = 0.75  # share of maxima of texture that a filter of the next width finds as well
    hypothesis_most_chance: float = 0.98  # of that share, so that nothing is divided by zero
    hypothesis_typical: int = 100  # decoys of a part whose shapes are compared with
    hypothesis_fitted: int = 36  # columns whose width is fitted: their median is good to a percent or two
    hypothesis_oval: float = 0.4  # elongation that all columns may have in common - astigmatism, drift; ridges have 0.6
    hypothesis_order: float = 4.0  # weight of order: a lattice is worth five times as much as the same without order
    hypothesis_unlike: float = 0.3  # part of what single atoms explain that counts however unlike they are
    hypothesis_least: float = 40.0  # nats; images without atoms reach 33, but for speckle and pits
    hypothesis_hint: float = 10.0  # nats that are a hint; less is no difference
    hypothesis_rival: float = 0.5  # of the best bound, below which nothing is looked at more closely
    hypothesis_alike: float = 0.9  # share of the atoms that two hypotheses have in common if they are one and the same
    hypothesis_apart: float = (
        1.15  # ratio of spacings from where the spacing decides between two, and not the threshold
    )
    hypothesis_rivals: int = 3  # that are told, at most
    hypothesis_sure: float = 0.15  # how sure the choice is, below which a sentence says so

    # Evidence (evidence.py); as the hypotheses.
    evidence_ring: float = 5.0  # waves, width of a ring; in it and in a sector the power of noise is taken as one
    evidence_sectors: int = 8  # of half a circle
    evidence_axis: int = 2  # waves on either side of the axes, where the power is that of scan lines and hum
    evidence_taper: float = 0.25  # of the window, cosine at its ends - Tukey
    evidence_floor: float = 1e-3  # of the mean power: no spot is a Gaussian to better than 3 %
    evidence_outlier: float = 3.0  # standard deviations, at which the texture is cut before its power is taken

    # Matched filter (spots.py, detect.py).
    filter_window: float = 2.0  # σ, of the Gaussian window of the local fit
    filter_slow: float = 6.0  # σ, of the blur that is taken for slow background
    filter_resolution: float = 1e-5  # of the contrast of a frame - float32 resolves little below
    filter_separation: float = 1.5  # σ; of two maxima closer than this the higher is one
    filter_ridge: float = 0.8  # elongation of a maximum on a ridge or a step: curvatures 9 : 1 - Lowe 2004 has 10 : 1
    filter_closest: float = 0.3  # of the spacing: nearer than this, the weaker of two maxima is not a column

    # Threshold (threshold.py).
    noise_floor: float = 3.0  # score, in lattices, where every candidate already stands at a σ from the others
    isolated_floor: float = 5.0  # score, elsewhere - none of the 10⁴ independent places of white noise reaches it
    threshold_clear: float = 6.0  # score of a spot that nobody would take for noise, though maybe for texture
    threshold_few_false: float = 0.02  # share of false ones among weak spots - target and decoys, Elias and Gygi 2007
    threshold_some_false: float = 0.15  # among those that are clear - the same
    threshold_outstanding: float = 2.0  # times the best decoy, from where a spot always counts
    threshold_lowest: float = 1.5  # score from which noise and weak texture have their mode
    threshold_noisiest: float = 7.0  # score up to which they have it
    threshold_noise_share: float = 0.08  # a group of fewer is no noise but atoms beside dopants, at the edge, …
    threshold_bandwidth: float = 0.12  # of the density of log(score)

    # Single atoms on a support (clutter.py); tests/atoms/test_clutter.py.
    clutter_around: int = 24  # σ over which the filtered support is looked at
    clutter_outlier: float = 3.0  # standard deviations at which an amplitude is cut, so that atoms hardly count

    # Weaker or narrower spots among atoms (crowd.py); on simulated ones in tests/kinds.py.
    crowd_room: float = 0.8  # of the distance of atoms: so far from all, there is room for one more - square cells 0.71
    crowd_gap: float = 2.5  # distances, radius of gaps in their midst; wider ones are beside them
    crowd_steps: int = 3  # narrower filters that are tried
    crowd_false: float = 0.05  # share of false ones among the spots - decoys, as above
    crowd_fewest: int = 20  # spots that can show so small a share
    crowd_filled: float = 0.5  # share of the places with room that have one; a third where a crystal is made so

    # An uneven support beside a lattice (texture.py); tests/atoms/test_texture.py.
    texture_neighbours: int = 12  # whose vectors are looked for again
    texture_around: int = 8  # nearest maxima, which with the maximum itself are its region
    texture_same: float = 0.25  # of the spacing, within which a vector leads to a maximum - by chance one in six does
    texture_alone: float = 0.25  # repeated vectors, below which a maximum is alone
    texture_disordered: float = 0.33  # repeated vectors, below which its region is disordered
    texture_ordered: float = 0.4  # repeated vectors of a column
    texture_squeezed: float = 0.7  # of the spacing: no room for a column
    texture_evident: float = 0.5  # of a column's typical score: less is no proof of one
    texture_fewest: int = 8  # maxima that make a texture
    texture_columns: float = 0.2  # share of the maxima that makes a lattice
    texture_weak: float = 0.75  # of the typical column: an amorphous part of the same material is as bright
    texture_typical: int = 12  # maxima of the texture that its strength here is measured from
    texture_stands_out: float = 3.0  # times the texture around: half as much again as its strongest usually reach

    # Learned detector (learned.py); tests/atoms/test_detection_learned.py.
    learned_least: float = -4.0  # logit below which a maximum is nothing
    learned_likely: float = 0.5  # probability below which nothing is taken for an atom by default
    learned_false: float = 0.2  # share of false ones expected - decoys, as above
    learned_beyond: float = 7.0  # times the odds of any decoy, from where atoms stand alone

    # Fit of Gaussians (refine.py, gaussians.py); the precision in benchmarks/detection.py against the Cramér–Rao limit.
    fit_fewest_pixels: float = 3.0  # per σ, to which wide columns are binned - the limit rises by 1 / (24 × 3²)
    fit_most_lost: float = 0.25  # of the pixels that are binned to one: with more lost, it says nothing
    fit_first_reach: float = 2.0  # σ, radius of the fitted disc before neighbours are removed
    fit_reach: float = 4.0  # σ, after that
    fit_widest_reach: float = 0.9  # of the spacing: farther out, the rest of neighbours outweighs the column
    fit_first_steps: int = 4  # Levenberg–Marquardt steps of the first fit
    fit_steps: int = 2  # after the first rounds; before, one step each, because the neighbours move as well
    fit_rounds: int = 4  # at least; in every second one noise and slow background are measured anew
    fit_most_rounds: int = 12  # until half of the columns are settled
    fit_settled: float = 0.2  # of their error, by which such columns moved
    fit_slow: float = 5.0  # σ over which what columns leave is blurred to the slow background; in a halo 6 widen them
    fit_rough: float = 2.5  # σ of the blur where what is left is rougher; less would hold parts of the columns
    fit_rough_clear: float = 5.0  # times the variance that noise would have there, from where it counts
    fit_widest: float = 0.3  # of the spacing; wider columns would not be seen apart
    fit_alike: float = 0.15  # relative scatter of widths that columns of one image stay within
    fit_round: float = 0.3  # scatter of flatness that they stay within
    fit_farthest: float = 0.25  # of the spacing from the maximum: a fit that ends beyond has followed something else
    fit_astray: float = 1.25  # σ from the maximum: the same
    fit_outside: float = 3.0  # errors beyond the image: what is seen is the flank of a column that is not in it
    fit_thinnest: float = 0.3  # times the common σ, least of a column
    fit_thickest: float = 2.5  # times the common σ, largest
    fit_narrowest: float = 0.3  # px, of any width
    fit_flattest: float = 0.8  # flatness of an ellipse three times as long as wide

    # What columns have in common, and errors (model_image.py, fisher.py); as the fit.
    drawn_reach: float = 4.5  # σ up to which columns are drawn
    grown_little: float = 0.02  # relative difference of widths whose images show what a wider column looks like
    grown_most: float = 0.25  # relative growth in one step
    error_overlap: float = 5.0  # σ up to which neighbours count: beyond, they hardly overlap
    error_overlapping: int = 6  # neighbours that count at most
    error_singular: float = 1e-9  # smallest determinant of a Fisher matrix with ones on its diagonal - float64
    error_left: float = 0.1  # of the information, at least, beside neighbours
    common_square_of_mad: float = 2.2  # variance over squared median absolute deviation - the normal distribution
    common_doubt: float = 5.0  # over the number of columns: squared relative error of a variance found so

    # Centres of mass (centres.py); tests/atoms/test_refine.py.
    centre_reach: float = 2.0  # σ, radius of the disc
    centre_widest_reach: float = 0.5  # of the spacing, largest radius
    centre_rim: float = 1.0  # px, outermost ring of the disc, which is taken for background
    centre_moves: int = 12  # at most
    centre_still: float = 2e-3  # px; smaller moves are none
    centre_farthest: float = 1.0  # σ from the maximum; a centre that ends beyond has followed something else

    # Second look for weak columns (weak.py, folding.py); tests/atoms/test_weak.py.
    weak_clear_of: float = 0.53  # of the spacing: nearer to a column lies what its shape differs from a Gaussian by
    weak_stays_clear: float = 0.48  # of the spacing, after the fit
    weak_as_far: float = 0.95  # of its distance from columns, at least, are the decoys that a spot is compared with
    weak_explains: float = 0.1  # of the variance around it, at least, in the average over the lattice
    weak_present: float = 0.5  # of the height in the average, at least, in the image itself
    weak_part: int = 24  # spacings, side of the part that is looked at to see whether a second look would gain
    weak_worth: float = 0.1  # weak columns for a heavy one, at least, to say so; spots in a crowd
    fold_steps: int = 3  # half spacings up to which surroundings are compared, along rows and columns
    fold_among: int = 100  # nearest columns, among which those with the same surroundings are looked for
    fold_alike: int = 24  # of them, which are averaged

    # Large frames (tiles.py); benchmarks/big_frame.py.
    tile: int = 2048  # px, side of a tile without its margin; frames of more than two such tiles are divided
    tile_sample: int = 1024  # px, side of the parts on which width, spacing, polarity and threshold are measured
    tile_margin: float = 20.0  # σ that tiles reach beyond their own part
    tile_neighbours: float = 4.0  # spacings that they reach beyond it
    tile_seam: float = 1.5  # px on either side of a seam where one atom may be seen from two tiles

    # Drift and tracks (drift.py, linking.py); benchmarks/tracks.py.
    drift_nearest: int = 9  # atoms of the next frame around each whose vectors count - the second shell of a lattice
    drift_voters: int = 2000  # atoms whose vectors are counted, evenly drawn; the median is over all
    drift_bin: float = 0.1  # of the spacing, of the histogram of vectors
    drift_blur: float = 1.0  # bins
    drift_alike: float = 0.8  # of the commonest vector: others as common are the drift plus a lattice vector
    drift_near: float = 0.25  # of the spacing, around the commonest vector, whose median is taken
    drift_pixels: float = 12.0  # per spacing, to which images are binned before they are correlated
    drift_smooth: float = 0.12  # of the spacing, so that a shift by parts of a pixel loses no noise
    drift_overlap: float = 0.5  # of either side, at least, of two images that are compared
    drift_sure: float = 5.0  # standard errors by which a large shift must agree better than the smallest possible
    link_reach: float = 0.45  # of the spacing: an atom on its site is never nearer to a neighbouring one
    link_lost: float = 1.25  # weight of losing an atom that was there just before over leaving a lost one lost


FIXED = Constants()
