# SPDX-License-Identifier: GPL-3.0-or-later
# readers.R VALUES TEXTS: whether R's packages ncdf4, rhdf5 and hdf5r read what the two tables of test_readers.py say. Prints "ran NAME" or "skipped NAME".

table <- function(path) read.delim(path, colClasses = "character", quote = "", encoding = "UTF-8")
words <- function(text) strsplit(text, " ", fixed = TRUE)[[1]]
arguments <- commandArgs(TRUE)
values <- table(arguments[1])
texts <- table(arguments[2])

# Arrays come with their dimensions reversed, so their numbers stand in the order of the file.
check_value <- function(reader, v, got) {
    where <- paste(reader, v$file, v$name)
    shape <- as.integer(words(v$shape))
    if (length(shape) > 0 && !identical(as.integer(dim(got)), rev(shape))) stop(where, ": dimensions ", paste(dim(got), collapse = " "))
    found <- as.numeric(got)[as.integer(words(v$at)) + 1]
    expected <- as.numeric(words(v$numbers))
    same <- (is.nan(found) & is.nan(expected)) | found == expected | abs(found - expected) <= as.numeric(v$tolerance) * abs(expected)
    if (!all(same & !is.na(same))) stop(where, ": ", found[!same][1], " instead of ", expected[!same][1])
}

check_text <- function(reader, t, got) {
    expected <- strsplit(t$texts, " // ", fixed = TRUE)[[1]]
    same <- length(got) == length(expected) && all(mapply(function(a, b) identical(charToRaw(a), charToRaw(b)), got, expected))
    if (!same) stop(reader, " ", t$file, " ", t$object, " ", t$attribute, ": ", paste(got, collapse = "|"))
}

by_ncdf4 <- function(path) {
    f <- ncdf4::nc_open(path)
    on.exit(ncdf4::nc_close(f))
    for (i in which(values$file == path)) {
        v <- values[i, ]
        check_value("ncdf4", v, ncdf4::ncvar_get(f, v$name, collapse_degen = FALSE))
        if (is.null(f$var[[v$name]])) next # a coordinate
        dims <- vapply(f$var[[v$name]]$dim, function(d) basename(d$name), "")
        if (!identical(rev(dims), words(v$dims)) && v$dims != "") stop("ncdf4 ", path, " ", v$name, ": dimensions ", paste(dims, collapse = " "))
    }
    for (i in which(texts$file == path)) {
        t <- texts[i, ]
        check_text("ncdf4", t, ncdf4::ncatt_get(f, if (t$object == "/") 0 else substring(t$object, 2), t$attribute)$value)
    }
}

by_rhdf5 <- function(path) {
    for (i in which(values$file == path)) {
        v <- values[i, ]
        check_value("rhdf5", v, rhdf5::h5read(path, v$name, bit64conversion = "double"))
    }
    for (i in which(texts$file == path)) {
        t <- texts[i, ]
        check_text("rhdf5", t, rhdf5::h5readAttributes(path, t$object)[[t$attribute]])
    }
    rhdf5::h5closeAll()
}

by_hdf5r <- function(path) {
    f <- hdf5r::H5File$new(path, "r")
    for (i in which(values$file == path)) {
        v <- values[i, ]
        got <- f[[v$name]]$read()
        if (v$shape != "") dim(got) <- f[[v$name]]$dims # those that it drops
        check_value("hdf5r", v, got)
    }
    for (i in which(texts$file == path)) {
        t <- texts[i, ]
        check_text("hdf5r", t, hdf5r::h5attr(if (t$object == "/") f else f[[t$object]], t$attribute))
    }
    f$close_all()
}

readers <- list(ncdf4 = by_ncdf4, rhdf5 = by_rhdf5, hdf5r = by_hdf5r)
for (name in names(readers)) {
    if (!requireNamespace(name, quietly = TRUE)) {
        cat("skipped", name, "\n")
        next
    }
    for (path in unique(values$file)) readers[[name]](path)
    cat("ran", name, "\n")
}
