% SPDX-License-Identifier: GPL-3.0-or-later
% readers.m VALUES: whether Octave reads what the table of test_readers.py says, by `load` and by its package netcdf. Prints "ran NAME" or "skipped NAME".
1;

function list = words(text)
    list = strsplit(text, " ");
    if isempty(text), list = {}; end
end

% Arrays come with their dimensions reversed, so their numbers stand in the order of the file.
function check_value(reader, v, got)
    shape = fliplr(str2double(words(v.shape)));
    if numel(shape) > 1
        shape = [shape, ones(1, ndims(got) - numel(shape))];
        while numel(shape) > 2 && shape(end) == 1, shape(end) = []; end % Octave drops these
        if !isequal(size(got), shape), error("%s %s %s: size %s", reader, v.file, v.name, mat2str(size(got))); end
    end
    found = double(got(:)(str2double(words(v.at)) + 1))(:);
    expected = str2double(words(v.numbers))(:);
    same = (isnan(found) & isnan(expected)) | found == expected | abs(found - expected) <= str2double(v.tolerance) * abs(expected);
    if !all(same), error("%s %s %s: %.17g instead of %.17g", reader, v.file, v.name, found(!same)(1), expected(!same)(1)); end
end

function by_load(values)
    path = "";
    for v = values
        if !strcmp(path, v.file), path = v.file; all = load(path); end
        check_value("load", v, getfield(all, strsplit(v.name, "/"){:}));
    end
end

function by_netcdf(values)
    for v = values
        check_value("netcdf", v, ncread(v.file, ["/" v.name]));
        try
            dims = ncinfo(v.file, ["/" v.name]).Dimensions;
        catch
            dims = []; % this package does not read variables with attributes of text
        end
        if !isempty(dims) && !isequal(fliplr({dims.Name}), words(v.dims)), error("netcdf %s %s: dimensions", v.file, v.name); end
    end
end

lines = strsplit(fileread(argv(){1}), "\n")(1:end-1);
rows = cellfun(@(line) strsplit(line, "\t", "CollapseDelimiters", false), lines, "UniformOutput", false);
values = cell2struct(vertcat(rows{2:end}), rows{1}, 2)';
by_load(values);
printf("ran load\n");
if isempty(pkg("list", "netcdf"))
    printf("skipped netcdf\n");
else
    pkg load netcdf
    by_netcdf(values(!strcmp({values.printed}, "0"))); % it opens the file for each of them
    printf("ran netcdf\n");
end
