"""What a crystal is: its lattice, sublattices, vacancies, displacements, strain, and how bright its columns are."""
